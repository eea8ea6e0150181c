import { calculator, defineTool, scripted, Session, stack, systemPrompt, toolLoop } from 'geppetto'
import * as z from 'zod'

const weather = defineTool({
  name: 'weather',
  description: 'The weather in a city, now.',
  input: z.object({ city: z.string() }),
  execute: ({ city }) => ({ city, celsius: 21, sky: 'clear' }),
})

const model = scripted({ pace: 0 }) // or openai({ model, apiKey }), anthropic(…), gemini(…)
const engine = toolLoop(stack(model, systemPrompt('Be brief.')), [calculator, weather])

const session = new Session({ engine })
session.prompt('What is 17 * 23?')
const inference = session.startInference()
for await (const event of inference) {
  if (event.type === 'text-delta') process.stdout.write(event.delta)
}
const turn = await inference.result // the whole context and the answer, ready for the next prompt
console.log(`\n${turn.blocks.length} blocks`)
