import type { Envelope, TurnScope } from '../../../events/event.ts'
import type { Json } from '../../../json.ts'
import { entitiesOfBlocks } from '../../../timeline/history.ts'
import type { Block } from '../../../turns/block.ts'
import { structOf, type MessageRole, type SemEvent } from './sem.ts'

/** What blocks that came without events of their own say: those of a fork, and those that a prompt brought along. */
export function historyOf(event: TurnScope & Envelope, blocks: readonly Block[]): readonly SemEvent[] {
  return entitiesOfBlocks(event, blocks).flatMap((entity): readonly SemEvent[] => {
    switch (entity.kind) {
      case 'message':
        return [message(entity.id, entity.role, entity.text)]
      case 'reasoning':
        return [message(entity.id, 'thinking', entity.text)]
      case 'tool-call': {
        const { id, toolName: name, input = null, result = null, error } = entity
        const said: Json = error === undefined ? result : { error }
        return [
          { type: 'tool.start', id, data: { id, name, input: structOf(input) } },
          { type: 'tool.result', id, data: { id, result: typeof said === 'string' ? said : JSON.stringify(said) } },
          { type: 'tool.done', id, data: { id } },
        ]
      }
      case 'activity':
      case 'notice':
      case 'inference':
        return []
    }
  })
}

function message(id: string, role: MessageRole, content: string): SemEvent {
  return { type: 'chat.message', id, data: { schemaVersion: 1, role, content, streaming: false } }
}
