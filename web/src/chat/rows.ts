import type { PendingSend } from 'geppetto/client'
import type { Entity, InferenceEntity } from 'geppetto/timeline'

/** What one row of the conversation shows. */
export type Row =
  | { readonly kind: 'entity'; readonly key: string; readonly entity: Exclude<Entity, InferenceEntity> }
  /** Stands under all that an inference has made: how it is going, what it cost, what can be done with it. */
  | {
      readonly kind: 'foot'
      readonly key: string
      readonly inference: InferenceEntity
      readonly made: readonly Entity[]
    }
  | { readonly kind: 'pending'; readonly key: string; readonly send: PendingSend }

interface Settled {
  readonly rows: readonly Row[]
  readonly inferences: ReadonlySet<string | undefined>
}

/** Of each list of settled entities, for it stays the same while an answer streams. */
const settledRows = new WeakMap<readonly Entity[], Settled>()

/**
 * The rows of a conversation. What belongs to one inference stands together, though the next prompt may have come before
 * its answer, and its foot stands last.
 */
export function conversationRows(
  settled: readonly Entity[],
  live: readonly Entity[],
  pending: readonly PendingSend[],
): readonly Row[] {
  const waiting = pending.map((send): Row => ({ kind: 'pending', key: send.key, send }))
  let known = settledRows.get(settled)
  if (known === undefined) {
    known = { rows: rowsOf(settled), inferences: new Set(settled.map(({ inferenceId }) => inferenceId)) }
    settledRows.set(settled, known)
  }
  const { rows, inferences } = known
  const isSplit = live.some(({ inferenceId }) => inferenceId !== undefined && inferences.has(inferenceId))
  if (isSplit) return [...rowsOf([...settled, ...live]), ...waiting]
  return [...rows, ...rowsOf(live), ...waiting]
}

function rowsOf(entities: readonly Entity[]): readonly Row[] {
  const groups = new Map<string, Entity[]>()
  for (const entity of entities) {
    // What no inference has made stands by itself.
    const name = entity.inferenceId ?? `alone:${entity.id}`
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [entity])
    else group.push(entity)
  }
  return [...groups.values()].flatMap(rowsOfGroup)
}

function rowsOfGroup(group: readonly Entity[]): readonly Row[] {
  const rows: Row[] = []
  let inference: InferenceEntity | undefined
  for (const entity of group) {
    if (entity.kind === 'inference') inference = entity
    else rows.push({ kind: 'entity', key: entity.id, entity })
  }
  if (inference !== undefined) rows.push({ kind: 'foot', key: `foot:${inference.id}`, inference, made: group })
  return rows
}

/** What the model has said in an answer. */
export function answerOf(made: readonly Entity[]): string {
  const said = made.flatMap((entity) => (entity.kind === 'message' && entity.role === 'assistant' ? [entity.text] : []))
  return said.join('\n\n')
}

/** The message that an answer answers. */
export function promptOf(made: readonly Entity[]) {
  return made.find((entity) => entity.kind === 'message' && entity.role === 'user')
}

/** Whether a person has said it in this session: what a fork brought along has no inference. */
export function isOwnPrompt(entity: Entity): boolean {
  return entity.kind === 'message' && entity.role === 'user' && entity.inferenceId !== undefined
}
