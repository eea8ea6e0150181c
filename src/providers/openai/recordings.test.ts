// Recorded replies, read by this provider and by the few lines below, which know nothing of it. Set PROVIDER_RECORDINGS
// to a folder that has `openai-chat/*.jsonl`, one wire event a line.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hear, said, shown, stream } from '../../../test/support/chat-replies.ts'
import { endpoints, messagesOf, project, type EndpointName } from '../../../test/support/chat-requests.ts'
import { validateChatRequest } from '../../../test/support/validate-chat.ts'
import { userText } from '../../turns/block.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { append } from '../../turns/turn.ts'

const root = process.env['PROVIDER_RECORDINGS']
const folder = join(root ?? '', 'openai-chat')
if (root === undefined)
  console.log('skipped: recorded replies of Chat Completions, for PROVIDER_RECORDINGS names no folder')

// As much of a chunk as is looked at here; the recordings are of chunks.
interface Chunk {
  readonly id?: string
  readonly model?: string
  readonly error?: unknown
  readonly usage?: Figures | null
  readonly x_groq?: { readonly usage?: Figures }
  readonly choices?: readonly {
    readonly index?: number
    readonly delta?: Delta
    readonly finish_reason?: string | null
    readonly usage?: Figures
  }[]
}
interface Delta {
  readonly content?:
    | string
    | null
    | readonly {
        readonly type: string
        readonly text?: string
        readonly thinking?: readonly { readonly text?: string }[]
      }[]
  readonly refusal?: string | null
  readonly reasoning?: string | null
  readonly reasoning_content?: string | null
  readonly tool_calls?: readonly {
    readonly index?: number | null
    readonly id?: string
    readonly function?: { readonly name?: string; readonly arguments?: string }
  }[]
}
interface Figures {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens?: number
  readonly prompt_tokens_details?: { readonly cached_tokens?: number }
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number }
}

const recordings = root === undefined ? [] : readdirSync(folder).filter((file) => file.endsWith('.jsonl'))

function chunksOf(file: string): readonly Chunk[] {
  const lines = readFileSync(join(folder, file), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Chunk)
}

function choicesOf(chunks: readonly Chunk[]) {
  return chunks.flatMap(({ choices = [] }) => choices.filter(({ index = 0 }) => index === 0))
}

function wordsOf({ content, refusal }: Delta): string {
  const parts = Array.isArray(content) ? content.map((part) => (part.type === 'text' ? part.text : '')) : [content]
  return [...parts, refusal].join('')
}

function thoughtsOf({ content, reasoning, reasoning_content: older }: Delta): string {
  const parts = Array.isArray(content)
    ? content.flatMap((part) => (part.thinking ?? []).map(({ text = '' }) => text))
    : []
  return [...parts, reasoning ?? older].join('')
}

function callsOf(
  deltas: readonly Delta[],
): readonly { readonly id: string; readonly name: string; readonly args: string }[] {
  const calls: { id: string; name: string; args: string; index: number | null }[] = []
  for (const { tool_calls: pieces = [] } of deltas) {
    for (const { id, index = null, function: made = {} } of pieces) {
      const known = calls.find((call) => (id === undefined ? call.index === index : call.id === id))
      if (known === undefined) calls.push({ id: id ?? '', index, name: made.name ?? '', args: made.arguments ?? '' })
      else known.args += made.arguments ?? ''
    }
  }
  return calls
}

describe.runIf(root !== undefined)('a recorded reply', () => {
  test.each(recordings)('%s', async (file) => {
    const chunks = chunksOf(file)
    const choices = choicesOf(chunks)
    const deltas = choices.map(({ delta = {} }) => delta)
    const heard = await hear(stream(JSON.parse(JSON.stringify(chunks))))
    if (chunks.some(({ error }) => error !== undefined && error !== null)) {
      expect(heard.error).toBeDefined()
      return
    }
    expect(heard.error).toBeUndefined()
    const words = deltas.map(wordsOf).join('')
    const thoughts = deltas.map(thoughtsOf).join('')
    const calls = callsOf(deltas)
    expect([shown(heard, 'text-delta'), shown(heard, 'reasoning-delta')]).toEqual([words, thoughts])
    const written = (kind: string) =>
      said(heard)
        .flatMap(([each, text]) => (each === kind ? [text] : []))
        .join('')
    expect([written('text'), written('reasoning')]).toEqual([words, thoughts])
    expect(said(heard).filter(([kind]) => kind === 'call')).toEqual(
      calls.map(({ id, name, args }) => ['call', id, name, JSON.parse(args || '{}')]),
    )
    expect(shown(heard, 'tool-call-arguments-delta')).toBe(calls.map(({ args }) => args).join(''))

    const usage = chunks
      .map((chunk) => chunk.usage ?? chunk.x_groq?.usage ?? chunk.choices?.[0]?.usage)
      .findLast((each) => each !== undefined && each !== null)
    const beyond = (usage?.total_tokens ?? 0) - (usage?.prompt_tokens ?? 0)
    const result = inferenceResultKey.get(heard.turn)
    expect(result).toMatchObject({
      response_id: chunks.find(({ id }) => id)?.id,
      model: chunks.findLast(({ model }) => model)?.model,
      stop_reason: choices.findLast((choice) => choice.finish_reason)?.finish_reason,
      finish_class: calls.length > 0 ? 'tool_calls_pending' : 'completed',
      usage: { input_tokens: usage?.prompt_tokens, output_tokens: Math.max(usage?.completion_tokens ?? 0, beyond) },
    })
    expect(result?.usage?.reasoning_tokens).toBe(usage?.completion_tokens_details?.reasoning_tokens)
    expect(result?.usage?.cached_tokens).toBe(usage?.prompt_tokens_details?.cached_tokens)
  })

  test.each(recordings)('%s can be sent back, to every endpoint', async (file) => {
    const chunks = chunksOf(file)
    const { turn } = await hear(stream(JSON.parse(JSON.stringify(chunks))))
    const deltas = choicesOf(chunks).map(({ delta = {} }) => delta)
    const calls = callsOf(deltas)
    const thoughts = deltas.map(({ reasoning_content: text }) => text ?? '').join('')
    for (const name of Object.keys(endpoints) as readonly EndpointName[]) {
      // the keys of the table
      const request = project(append(turn, userText('More')), {}, [], name)
      expect(validateChatRequest(request.body, endpoints[name].rules)).toEqual([])
      const message = messagesOf(request).find(({ role }) => role === 'assistant')
      const sent = (message?.['tool_calls'] ?? []) as readonly { readonly function: { readonly arguments: string } }[] // as messages have them
      expect(sent.map((call) => call.function.arguments)).toEqual(calls.map(({ args }) => args))
      if (name === 'deepseek' && calls.length > 0)
        expect(message?.['reasoning_content']).toBe(thoughts === '' ? ' ' : thoughts)
    }
  })
})
