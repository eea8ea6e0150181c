import {
  answerText,
  assistantText,
  blocksOf,
  createTurn,
  run,
  stack,
  userText,
  type Engine,
  type Middleware,
} from 'geppetto'

// An engine is a function from a turn to facts. The run adds ids, time and ordinals, and folds the facts into the turn.
const echo: Engine = async function* (turn) {
  const prompt = blocksOf(turn, 'user').at(-1)?.payload.text ?? ''
  yield { type: 'text-segment-started', segmentId: 'answer' }
  yield { type: 'text-delta', segmentId: 'answer', offset: 0, delta: prompt }
  yield { type: 'text-segment-finished', segmentId: 'answer', block: assistantText(prompt) }
}

// A middleware wraps an engine. This one works on the stream, so what is shown and what is stored stay the same.
const upperCase: Middleware = (next) =>
  async function* (turn, context) {
    for await (const event of next(turn, context)) {
      if (event.type === 'text-delta') yield { ...event, delta: event.delta.toUpperCase() }
      else if (event.type === 'text-segment-finished')
        yield { ...event, block: assistantText(event.block.payload.text.toUpperCase()) }
      else yield event
    }
  }

const ids = { sessionId: 'session-1', inferenceId: 'inference-1', turnId: 'turn-1' }
const inference = run(stack(echo, upperCase), createTurn([userText('hello')]), { ids })
for await (const { ordinal, type } of inference) console.log(ordinal, type)
console.log(answerText(await inference.result))
