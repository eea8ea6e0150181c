import type { Json, JsonObject } from '../../../json.ts'

// What goes over the wire to AG-UI clients, in the protocol's own names: the part of it that we send. An optional field
// is left out and never null, a delta is never empty: clients of one version or another throw for either.

export interface AgUiToolCall {
  readonly id: string
  readonly type: 'function'
  /** `arguments` is JSON. */
  readonly function: { readonly name: string; readonly arguments: string }
}

export type AgUiContentPart =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'image'
      readonly source:
        | { readonly type: 'data'; readonly value: string; readonly mimeType: string }
        | { readonly type: 'url'; readonly value: string }
    }
  /** What clients before 1.0 take for an image. */
  | { readonly type: 'binary'; readonly mimeType: string; readonly data?: string; readonly url?: string }

export type AgUiMessage =
  | { readonly id: string; readonly role: 'user'; readonly content: string | readonly AgUiContentPart[] }
  | {
      readonly id: string
      readonly role: 'assistant'
      readonly content?: string
      readonly toolCalls?: readonly AgUiToolCall[]
    }
  | { readonly id: string; readonly role: 'reasoning'; readonly content: string }
  | {
      readonly id: string
      readonly role: 'tool'
      readonly toolCallId: string
      readonly content: string
    }

/** Tokens of a run; the totals are inclusive. */
export interface AgUiUsage {
  readonly provider?: string
  readonly model?: string
  readonly inputTokens: number
  readonly outputTokens: number
  readonly reasoningTokens?: number
  readonly cachedInputTokens?: number
  readonly cacheWriteInputTokens?: number
}

/** A decision that a run waits for. */
export interface Interrupt {
  readonly id: string
  readonly reason: 'tool_call'
  readonly message: string
  readonly toolCallId: string
  readonly responseSchema: JsonObject
  readonly expiresAt?: string
  readonly metadata: JsonObject
}

export type Outcome =
  | { readonly type: 'success'; readonly pendingToolCallIds?: readonly string[] }
  | { readonly type: 'interrupt'; readonly interrupts: readonly Interrupt[] }
  | { readonly type: 'cancelled' }

interface RunIds {
  readonly threadId: string
  readonly runId: string
}

export type AgUiEvent =
  | (RunIds & { readonly type: 'RUN_STARTED'; readonly protocolVersion?: string })
  | (RunIds & {
      readonly type: 'RUN_FINISHED'
      readonly outcome: Outcome
      readonly result?: Json
      readonly usage?: readonly AgUiUsage[]
    })
  | {
      readonly type: 'RUN_ERROR'
      readonly message: string
      readonly code: string
      readonly usage?: readonly AgUiUsage[]
    }
  | { readonly type: 'TEXT_MESSAGE_START'; readonly messageId: string; readonly role: 'assistant' }
  | { readonly type: 'TEXT_MESSAGE_CONTENT'; readonly messageId: string; readonly delta: string }
  | { readonly type: 'TEXT_MESSAGE_END'; readonly messageId: string }
  | { readonly type: 'REASONING_START'; readonly messageId: string }
  | { readonly type: 'REASONING_MESSAGE_START'; readonly messageId: string; readonly role: 'reasoning' }
  | { readonly type: 'REASONING_MESSAGE_CONTENT'; readonly messageId: string; readonly delta: string }
  | { readonly type: 'REASONING_MESSAGE_END'; readonly messageId: string }
  | { readonly type: 'REASONING_END'; readonly messageId: string }
  | {
      readonly type: 'REASONING_ENCRYPTED_VALUE'
      readonly subtype: 'message'
      readonly entityId: string
      readonly encryptedValue: string
    }
  | {
      readonly type: 'TOOL_CALL_START'
      readonly toolCallId: string
      readonly toolCallName: string
      readonly parentMessageId: string
    }
  | { readonly type: 'TOOL_CALL_ARGS'; readonly toolCallId: string; readonly delta: string }
  | { readonly type: 'TOOL_CALL_END'; readonly toolCallId: string }
  | {
      readonly type: 'TOOL_CALL_RESULT'
      readonly messageId: string
      readonly toolCallId: string
      readonly content: string
      readonly role: 'tool'
    }
  | { readonly type: 'MESSAGES_SNAPSHOT'; readonly messages: readonly AgUiMessage[] }
  | { readonly type: 'CUSTOM'; readonly name: string; readonly value: Json }

/** What an id on the wire is made of. */
interface OfProviderCall {
  readonly providerCallId?: string
  readonly attempt?: number
}

/** One request to a model and its attempt: the beginning of the ids of all that came out of it. */
export function callPrefix({ providerCallId, attempt = 1 }: OfProviderCall): string | undefined {
  return providerCallId === undefined || attempt === 1 ? providerCallId : `${providerCallId}.${attempt}`
}

/**
 * The id of a tool call on the wire. A client looks for it in all messages of the thread, and there are providers that
 * give the same id again in another answer: with its request to the model in front there is only one.
 */
export function wireCallId(call: OfProviderCall & { readonly toolCallId: string }): string {
  const prefix = callPrefix(call)
  return prefix === undefined ? call.toolCallId : `${prefix}:${call.toolCallId}`
}

/** The provider call that an id on the wire begins with, whatever the id is of; it may be none of ours. */
export function providerCallOf(wireId: string): string {
  return /^[^:.]*/.exec(wireId)?.[0] ?? ''
}

/** The message that carries the result of a call. */
export function resultMessageId(wireId: string): string {
  return `${wireId}:result`
}

/** What a tool gave, as the content of its message. */
export function resultContent({ result, error }: { readonly result?: Json; readonly error?: string }): string {
  if (error !== undefined) return error
  return typeof result === 'string' ? result : JSON.stringify(result ?? null)
}

/** What is said of a call that its run ended without. */
export const unansweredContent = 'the tool was not run: the run ended before'

/** The arguments of a call as text. */
export function argumentsText(input: Json | undefined): string {
  return typeof input === 'string' ? input : JSON.stringify(input ?? {})
}
