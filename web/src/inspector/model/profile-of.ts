import { runtimeKey } from '../../../../src/turns/keys.ts'
import { isJsonObject } from '../../session/json.ts'
import type { ModelCost } from '../../../../src/inference/result.ts'
import type { Profile } from '../../session/queries.ts'
import type { RecordedTurn } from './recorded-turns.ts'

/** The profile that was asked to answer a turn; undefined when nobody said, and it is the default one. */
export function profileOf({ latest }: RecordedTurn): string | undefined {
  const runtime = runtimeKey.get(latest.turn)
  const profile = isJsonObject(runtime) ? runtime['profile'] : runtime
  return typeof profile === 'string' ? profile : undefined
}

/** What its profile says that a token costs; without a profile the first one answers. */
export function priceOf(turn: RecordedTurn | undefined, profiles: readonly Profile[]): ModelCost | undefined {
  const slug = turn && profileOf(turn)
  const { cost } = (slug === undefined ? profiles[0] : profiles.find((profile) => profile.slug === slug)) ?? {}
  if (cost === undefined) return undefined
  const { input, output, cache_read: cacheRead, cache_write: cacheWrite } = cost
  return {
    input,
    output,
    ...(cacheRead !== undefined && { cacheRead }),
    ...(cacheWrite !== undefined && { cacheWrite }),
  }
}
