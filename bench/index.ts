// What the streaming path costs, measured against a bare loop and against the AI SDK, all in one run: `npm run bench`.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { streamText } from 'ai'
import { createParser } from 'eventsource-parser'
import { execFileSync, fork } from 'node:child_process'
import { setImmediate as nextTurn } from 'node:timers/promises'
import * as z from 'zod'
import { run } from '../src/inference/run.ts'
import { defineTool } from '../src/inference/tool.ts'
import { toolLoop } from '../src/inference/tool-loop.ts'
import type { Engine } from '../src/inference/engine.ts'
import { openai } from '../src/providers/openai/protocol.ts'
import { assistantText, toolCall, userText } from '../src/turns/block.ts'
import { createTurn } from '../src/turns/turn.ts'
import { measure, type Measured } from './measure.ts'

const deltas = 20_000
const rounds = 11
const ids = { sessionId: 'bench', inferenceId: 'bench', turnId: 'bench' }

const server = fork(new URL('./delta-server.ts', import.meta.url))
const port = await new Promise<number>((resolve) => server.once('message', (message) => resolve(Number(message))))
const baseUrl = `http://127.0.0.1:${port}/${deltas}`

async function bareLoop(): Promise<number> {
  let text = ''
  let count = 0
  const parser = createParser({
    onEvent({ data }) {
      if (data === '[DONE]') return
      const message = JSON.parse(data) as { choices?: { delta?: { content?: string } }[] } // the bench's own server
      const content = message.choices?.[0]?.delta?.content
      if (!content) return
      text += content
      count += 1
    },
  })
  const decoder = new TextDecoder()
  const reply = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', body: '{}' })
  for await (const chunk of reply.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }))
  return text.length > 0 ? count : 0
}

async function ours(): Promise<number> {
  const engine = openai({ model: 'bench-1', baseUrl, network: { allowHttp: true, allowPrivate: true } })
  let count = 0
  const sinks = [(event: { type: string }) => void (count += event.type === 'text-delta' ? 1 : 0)]
  await run(engine, createTurn([userText('Hi')]), { ids, sinks }).result
  return count
}

const sdkModel = createOpenAICompatible({ name: 'bench', baseURL: baseUrl })('bench-1')
async function aiSdk(): Promise<number> {
  let count = 0
  for await (const _text of streamText({ model: sdkModel, prompt: 'Hi' }).textStream) count += 1
  return count
}

/** A tool loop of `iterations` calls on an engine that costs nothing. */
function loop(iterations: number) {
  const tool = defineTool({
    name: 'count',
    description: 'Counts.',
    input: z.object({ n: z.number() }),
    execute: ({ n }) => n,
  })
  const caller: Engine = async function* (turn) {
    const made = turn.blocks.filter((block) => block.kind === 'tool_call').length
    if (made < iterations - 1) {
      const id = `call-${made}`
      yield { type: 'tool-call-requested', toolCallId: id, block: toolCall(id, 'count', { n: made }) }
    } else {
      yield { type: 'text-segment-finished', segmentId: 'text', block: assistantText('Done.') }
    }
  }
  const repeats = Math.ceil(2_000 / iterations)
  return async () => {
    for (let repeat = 0; repeat < repeats; repeat += 1) {
      const engine = toolLoop(caller, [tool], { maxIterations: iterations })
      await run(engine, createTurn([userText('Go')]), { ids }).result
      await nextTurn()
    }
    return repeats * iterations
  }
}

function report(title: string, measured: readonly Measured[]): void {
  const [first] = measured
  console.log(`\n${title} (median of ${rounds} rounds, least–most)`)
  for (const { name, median, least, most } of measured) {
    const ratio = (median / (first?.median ?? 1)).toFixed(2)
    console.log(
      `  ${name.padEnd(34)} ${median.toFixed(2).padStart(8)} µs  ${least.toFixed(2)}–${most.toFixed(2)}   × ${ratio}`,
    )
  }
}

report(
  `CPU for a text delta, ${deltas} deltas over HTTP`,
  await measure(
    [
      { name: 'fetch + eventsource-parser', work: bareLoop },
      { name: 'geppetto, all events, one sink', work: ours },
      { name: 'AI SDK streamText', work: aiSdk },
    ],
    rounds,
  ),
)
report(
  'CPU for an iteration of the tool loop',
  await measure(
    [
      { name: 'loops of 10', work: loop(10) },
      { name: 'loops of 200', work: loop(200) },
    ],
    rounds,
  ),
)

const importTimes = Array.from({ length: rounds }, () => {
  const script = "const from = performance.now(); await import('geppetto'); console.log(performance.now() - from)"
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }))
}).toSorted((left, right) => left - right)
console.log(
  `\nimport 'geppetto': ${importTimes[rounds >> 1]?.toFixed(0)} ms (${importTimes[0]?.toFixed(0)}–${importTimes.at(-1)?.toFixed(0)})`,
)
server.kill()
