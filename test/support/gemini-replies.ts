import { expect } from 'vitest'
import type { EventOf, InferenceEvent, InferenceEventType } from '../../src/events/event.ts'
import { gemini } from '../../src/providers/gemini/protocol.ts'
import { userText, type Block } from '../../src/turns/block.ts'
import { inferenceResultKey, sidecarKey } from '../../src/turns/keys.ts'
import { createTurn } from '../../src/turns/turn.ts'
import { replying, runToEnd, sse, type ReplyOptions } from './replies.ts'

// Replies of Gemini, written chunk by chunk.

/** A chunk with these parts; the fields of `more` stand beside the candidates. */
export function chunk(parts: readonly object[], finishReason?: string, more: object = {}): object {
  return {
    candidates: [{ content: { role: 'model', parts }, ...(finishReason && { finishReason }), index: 0 }],
    modelVersion: 'gemini-x',
    responseId: 'r',
    ...more,
  }
}

/** A chunk whose candidate has these fields and no content. */
export function candidate(fields: object): object {
  return { candidates: [{ index: 0, ...fields }], modelVersion: 'gemini-x', responseId: 'r' }
}

/** A part with a call; `more` stands beside the call. */
export function call(name: string, args: object, more: object = {}): object {
  return { functionCall: { name, args }, ...more }
}

/** A part with the pieces of a call's arguments, each under its path. */
export function pieces(values: Readonly<Record<string, object>>, willContinue: boolean | undefined = true): object {
  const partialArgs = Object.entries(values).map(([jsonPath, value]) => ({ jsonPath, ...value }))
  return { functionCall: { partialArgs, ...(willContinue !== undefined && { willContinue }) } }
}

export const begin = (name: string, more: object = {}): object => ({
  functionCall: { name, willContinue: true },
  ...more,
})
export const end = { functionCall: {} }

/** Reads a reply in one piece and in small ones: one outcome. */
export async function read(messages: readonly object[], options: ReplyOptions = {}) {
  const body = sse(
    messages.map((message) => JSON.stringify(message)),
    'gemini',
  )
  const outcome = (chunkSize?: number) => {
    const { fetch } = replying([body, { ...options, ...(chunkSize !== undefined && { chunkSize }) }])
    return runToEnd(gemini({ model: 'gemini-2.5-flash', fetch }), createTurn([userText('Hi')]))
  }
  const whole = await outcome()
  for (const chunkSize of [1, 13]) expect(await outcome(chunkSize)).toEqual(whole)
  const blocks = whole.turn.blocks.slice(1)
  return {
    ...whole,
    blocks,
    said: blocks.map(summary),
    sealed: blocks.map((block) => sidecarKey.get(block)?.item['parts']),
    result: inferenceResultKey.get(whole.turn),
  }
}

/** A block in a few words, for tables. */
function summary(block: Block): readonly unknown[] {
  if (block.kind === 'tool_call') return [block.kind, block.payload.id, block.payload.name, block.payload.args]
  const payload: Readonly<Record<string, unknown>> = { ...block.payload }
  return block.kind === 'other' ? [block.rawKind, payload['item']] : [block.kind, payload['text']]
}

export function eventsOf<T extends InferenceEventType>(events: readonly InferenceEvent[], type: T): EventOf<T>[] {
  return events.filter((event): event is EventOf<T> => event.type === type)
}
