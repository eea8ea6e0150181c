import { editTurn, type Middleware } from '../inference/engine.ts'
import { systemText } from '../turns/block.ts'
import { prepend, replaceBlock, type Turn } from '../turns/turn.ts'

/**
 * Makes `text` the system prompt: the first system block says it afterwards, whatever it said before, and a turn
 * without one gets one. Doing it twice changes nothing. An empty text leaves the turn alone.
 */
export function systemPrompt(text: string): Middleware {
  return editTurn('systemprompt', (turn) => withSystemPrompt(turn, text))
}

function withSystemPrompt(turn: Turn, text: string): Turn {
  if (text === '') return turn
  const index = turn.blocks.findIndex((block) => block.kind === 'system')
  const block = turn.blocks[index]
  if (block?.kind !== 'system') return prepend(turn, systemText(text))
  return block.payload.text === text
    ? turn
    : replaceBlock(turn, index, { ...block, payload: { ...block.payload, text } })
}
