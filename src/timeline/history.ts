import type { TurnScope, Envelope } from '../events/event.ts'
import type { Block, ToolUseBlock } from '../turns/block.ts'
import { partialKey } from '../turns/keys.ts'
import type { Entity } from './entity.ts'

/** What a person sees of blocks that came without events: those of a fork, of an import, of a turn from a file, and what a prompt brought along. */
export function entitiesOfBlocks(event: TurnScope & Envelope, blocks: readonly Block[]): readonly Entity[] {
  const results = new Map<string, ToolUseBlock>()
  for (const block of blocks) if (block.kind === 'tool_use') results.set(block.payload.id, block)
  return blocks.flatMap((block, index): readonly Entity[] => {
    const base = {
      id: block.id ?? `${event.turnId}:${index}`,
      ordinal: event.ordinal,
      updatedOrdinal: event.ordinal,
      at: event.at,
      turnId: event.turnId,
    }
    const partial = partialKey.get(block) === true ? { isPartial: true as const } : {}
    switch (block.kind) {
      case 'user': {
        const { text, images } = block.payload
        return [
          { ...base, kind: 'message', role: 'user', text, isStreaming: false, ...(images !== undefined && { images }) },
        ]
      }
      case 'llm_text':
        return [
          { ...base, kind: 'message', role: 'assistant', text: block.payload.text, isStreaming: false, ...partial },
        ]
      case 'reasoning': {
        const { text = '' } = block.payload
        return text === '' ? [] : [{ ...base, kind: 'reasoning', text, isStreaming: false, ...partial }]
      }
      case 'tool_call': {
        const { id: toolCallId, name: toolName, args: input } = block.payload
        const answer = results.get(toolCallId)
        return [
          {
            ...base,
            id: `${event.turnId}:${index}:${toolCallId}`,
            kind: 'tool-call',
            toolCallId,
            toolName,
            input,
            status: answer === undefined ? 'unanswered' : statusOf(answer),
            ...answerOf(answer),
          },
        ]
      }
      case 'tool_use':
      case 'system':
      case 'other':
        return []
    }
  })
}

function statusOf({ payload }: ToolUseBlock): 'success' | 'error' | 'unknown' {
  if (payload.outcome_unknown === true) return 'unknown'
  return payload.error === undefined ? 'success' : 'error'
}

/** The result and the error of an answer, as an entity has them. */
export function answerOf(
  answer: ToolUseBlock | undefined,
): Pick<Extract<Entity, { kind: 'tool-call' }>, 'result' | 'error'> {
  const { result, error } = answer?.payload ?? {}
  return { ...(result !== undefined && { result }), ...(error !== undefined && { error }) }
}
