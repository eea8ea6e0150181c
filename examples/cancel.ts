import { answerText, InferenceCancelledError, inferenceResultKey, scripted, Session } from 'geppetto'

const session = new Session({ engine: scripted({ pace: 0 }) })
session.prompt('Tell me a long story.')
const inference = session.startInference()

let shown = ''
for await (const event of inference) {
  if (event.type === 'text-delta') shown += event.delta
  if (shown.length > 40) inference.cancel('the reader has left')
}

await inference.result.catch((error: unknown) => {
  if (!(error instanceof InferenceCancelledError)) throw error
})
const turn = session.latest
if (turn === undefined) throw new Error('the session has a turn')
console.log(answerText(turn) === shown, inferenceResultKey.get(turn)?.finish_class)
