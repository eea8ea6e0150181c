import { answerText, defineTool, scripted, Session, toolLoop } from 'geppetto'
import * as z from 'zod'

const currentTime = defineTool({
  name: 'current_time',
  description: 'The time in a place.',
  input: z.object({ time_zone: z.string().optional() }),
  effect: 'read',
  timeoutMs: 2_000,
  execute: (_input, { report }) => {
    report('looking at the clock')
    return { time: '12:00', time_zone: 'UTC' }
  },
})

const session = new Session({
  engine: toolLoop(scripted({ pace: 0 }), [currentTime], { maxIterations: 5, onError: 'continue' }),
})
session.prompt('What time is it?')
const inference = session.startInference()
for await (const event of inference) {
  if (event.type === 'tool-execution-started') console.log('runs', event.toolName, event.input)
  if (event.type === 'tool-progress') console.log('  …', event.progress)
  if (event.type === 'tool-result-ready') console.log('  =', event.status, event.block.payload.result)
}
console.log(answerText(await inference.result).includes('12:00'))
