import { z } from 'zod'
import { assistantText } from './block.ts'
import { blockMeta, turnData, turnMeta, type TurnMetaKey } from './key.ts'
import { partialKey, sessionIdKey, toolConfigKey } from './keys.ts'
import { createTurn, type Turn } from './turn.ts'

// Checked by the compiler alone: what stands under `@ts-expect-error` must not compile.

const turn = createTurn()
const block = assistantText('')
const score = turnMeta('app', 'score', 1, z.number())

export function typesAreThoseOfTheSchema(): void {
  score.get(turn) satisfies number | undefined
  score.set(turn, 1) satisfies Turn
  toolConfigKey.get(turn)?.execution_timeout satisfies string | number | undefined
  blockMeta('app', 'label', 1, z.string()).set(block, 'a') satisfies typeof block
  // @ts-expect-error the value is a number
  score.set(turn, 'high')
  // @ts-expect-error it may be missing
  score.get(turn) satisfies number
  // @ts-expect-error not one of the choices
  toolConfigKey.set(turn, { enabled: true, tool_choice: 'sometimes' })
}

export function aKeyTakesOnlyItsOwnHolder(): void {
  // @ts-expect-error a key of a turn on a block
  sessionIdKey.get(block)
  // @ts-expect-error a key of a block on a turn
  partialKey.get(turn)
  // @ts-expect-error a key of a block on a turn
  partialKey.set(turn, true)
}

export function familiesDoNotMix(): void {
  const forMetadata = (key: TurnMetaKey<string>) => key.id
  const data = turnData('app', 'name', 1, z.string())
  // @ts-expect-error a data key where a metadata key is asked for
  forMetadata(data)
  // @ts-expect-error a block's key where a turn's is asked for
  forMetadata(blockMeta('app', 'name', 1, z.string()))
  forMetadata(turnMeta('app', 'name', 1, z.string()))
  // @ts-expect-error the bags cannot be reached with a key's id and no type
  turn.metadata[sessionIdKey.id] = 'x'
}

export function aTurnIsReadOnly(): void {
  // @ts-expect-error blocks are not pushed
  turn.blocks.push(block)
  // @ts-expect-error a block is not changed in place
  block.payload.text = 'b'
}
