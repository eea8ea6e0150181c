import { calculator, encodeEvent, scripted, Session, toolLoop, type InferenceEvent } from 'geppetto'

// A sink watches. It is called once for each event, is never waited for, and cannot harm the run.
const lines: string[] = []
const record = (event: InferenceEvent) => void lines.push(JSON.stringify(encodeEvent(event)))

const session = new Session({
  id: 'session-1',
  engine: toolLoop(scripted({ pace: 0 }), [calculator]),
  sinks: [record],
  onSnapshot: (turn, phase) => console.log(phase, turn.blocks.length),
  persist: (turn) => console.log('stored', turn.blocks.length),
})
session.prompt('What is 17 * 23?')
await session.startInference().result
console.log(
  lines.every((line) => line.includes('"session_id":"session-1"')),
  lines.length > 10,
)
