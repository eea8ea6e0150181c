import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answerText, defineTool, recordCassette, replayCassette, scripted, Session, toolLoop } from 'geppetto'
import type { Cassette } from 'geppetto/cassette'
import * as z from 'zod'

const currentTime = defineTool({
  name: 'current_time',
  description: 'The time in a place.',
  input: z.object({ time_zone: z.string().optional() }),
  execute: () => {
    console.log('the tool runs')
    return { time: new Date().toISOString() }
  },
})

// #region run
// One way to set up the run, whether it is recorded or replayed.
async function run(cassette: Cassette): Promise<string> {
  const { clock, newId } = cassette
  // A provider's engine takes the replies from the cassette, too: anthropic({ …, fetch: cassette.fetch }).
  const engine = toolLoop(scripted(), [cassette.tool(currentTime)])
  const session = new Session({ engine, clock, newId })
  cassette.onCommand((command) => {
    if (command.kind === 'cancel') session.active?.cancel(command.reason)
  })
  session.prompt('What time is it?')
  const inference = session.startInference()
  let events = ''
  for await (const event of inference) events += `${JSON.stringify(event)}\n`
  return events + answerText(await inference.result)
}
// #endregion run

// #region record
const file = join(tmpdir(), `geppetto-${process.pid}.cassette.jsonl`)
const recorder = recordCassette()
const recorded = await run(recorder)
writeFileSync(file, recorder.text())
// #endregion record

// #region replay
const player = replayCassette(readFileSync(file, 'utf8'))
const replayed = await run(player) // at once, and the tool does not run
await player.finish() // throws when something was recorded and not asked for
console.log('the same bytes:', replayed === recorded)
// #endregion replay
