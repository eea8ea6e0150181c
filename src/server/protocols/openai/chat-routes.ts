import { Hono, type Context } from 'hono'
import type { JsonObject } from '../../../json.ts'
import { readJson } from '../../body.ts'
import type { RouteEnv, Routes, ServerContext } from '../../context.ts'
import { sseFrame, sseResponse } from '../../sse.ts'
import { emptyChat, foldChat, type ChatDelta, type ChatState, type FinishReason } from './chat-fold.ts'
import { askedInChat, chatSchema, type ChatRequest } from './chat-request.ts'
import { argumentsText, requestLimit } from './content.ts'
import { failureOf, failureResponse } from './error.ts'
import { eventsOf, headersOf, type Passing, type Running } from './running.ts'
import { chatUsage } from './usage.ts'

export interface ChatOptions {
  /** Whether the model's reasoning is told too, as `reasoning_content`, which is not OpenAI's. */
  readonly tellsReasoning: boolean
}

/**
 * Chat completions: the client sends the whole conversation each time, and each is one inference in a session of its own,
 * in memory, or in the store with `store: true`.
 */
export function chatRoutes(context: ServerContext, passing: Passing, options: ChatOptions): Routes {
  const routes = new Hono<RouteEnv>()
  routes.post('/chat/completions', async (c) => {
    const access = c.get('access')
    access.require('write')
    const request = await readJson(c.req.raw, chatSchema, requestLimit)
    if (request.stream === true) access.requireStream()
    const profile = context.profiles.named(request.model ?? undefined)
    const { prompt, ...asked } = askedInChat(request, profile)
    const isKept = request.store === true
    const conversations = isKept ? context.conversations : passing.conversations
    const { session } = await conversations.find(access.principal, await conversations.create(access.principal))
    const running = { store: conversations.store, session, inference: await session.submit(prompt, asked), isKept }
    const message = { id: `chatcmpl-${running.inference.id}`, created: seconds(context), model: profile.slug }
    const told = { request, running, message, options }
    return request.stream === true ? stream(context, c, passing, told) : whole(c, passing, told)
  })
  return routes
}

interface Told {
  readonly request: ChatRequest
  readonly running: Running
  readonly message: { readonly id: string; readonly created: number; readonly model: string }
  readonly options: ChatOptions
}

async function whole(c: Context<RouteEnv>, passing: Passing, { running, message, options }: Told): Promise<Response> {
  const headers = headersOf(running)
  let state = emptyChat
  try {
    for await (const event of eventsOf(running, c.req.raw.signal)) {
      ;[state] = foldChat(state, event)
      if (state.end !== undefined) break
    }
  } finally {
    passing.release(running, c.get('access'))
  }
  const end = state.end ?? { error: { code: 'INFERENCE_CANCELLED', message: 'Nobody waited for the answer.' } }
  if ('error' in end) return failureResponse(end.error, headers)
  return Response.json(
    {
      ...message,
      object: 'chat.completion',
      choices: [{ index: 0, message: messageOf(state, options), finish_reason: end.finish, logprobs: null }],
      usage: chatUsage(state.tokens),
    },
    { headers },
  )
}

function messageOf({ said, reasoning, calls }: ChatState, { tellsReasoning }: ChatOptions): JsonObject {
  const text = said.map((segment) => segment.text).join('\n\n')
  return {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    refusal: null,
    ...(tellsReasoning && reasoning !== '' && { reasoning_content: reasoning }),
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ payload: { id, name, args } }) => {
        return { id, type: 'function', function: { name, arguments: argumentsText(args) } }
      }),
    }),
  }
}

function stream(context: ServerContext, c: Context<RouteEnv>, passing: Passing, told: Told): Response {
  const { running, message, request, options } = told
  const access = c.get('access')
  const { signal: allowed, stop } = access.watch()
  // Once, however the stream ends: read to the end, cut, or never begun.
  let isReleased = false
  const release = () => {
    if (!isReleased) passing.release(running, access)
    isReleased = true
    stop()
  }
  c.req.raw.signal.addEventListener('abort', release, { once: true })
  const withUsage = request.stream_options?.include_usage === true
  const frame = (fields: JsonObject) =>
    sseFrame({
      data: JSON.stringify({
        ...message,
        object: 'chat.completion.chunk',
        ...(withUsage && { usage: null }),
        ...fields,
      }),
    })
  const piece = (delta: ChatDelta, finish: FinishReason | null = null) =>
    frame({ choices: [{ index: 0, delta, finish_reason: finish, logprobs: null }] })
  const isTold = (delta: ChatDelta) => options.tellsReasoning || !('reasoning_content' in delta)

  return sseResponse(
    async function* (signal) {
      let state = emptyChat
      context.metrics.streams.inc({ transport: 'sse' })
      try {
        for await (const event of eventsOf(running, signal)) {
          const [next, deltas] = foldChat(state, event)
          state = next
          for (const delta of deltas.filter(isTold)) yield piece(delta)
          if (state.end !== undefined) break
        }
        const { end, tokens } = state
        if (end === undefined) return // it broke off: the client sees no end
        if ('error' in end) yield sseFrame({ data: JSON.stringify(failureOf(end.error).body) })
        else yield piece({}, end.finish)
        if (withUsage) yield frame({ choices: [], usage: chatUsage(tokens) })
        yield sseFrame({ data: '[DONE]' })
      } finally {
        context.metrics.streams.dec({ transport: 'sse' })
        release()
      }
    },
    {
      clock: context.clock,
      headers: headersOf(running),
      signal: running.isKept ? AbortSignal.any([allowed, context.stopping]) : allowed,
    },
  )
}

function seconds({ clock }: ServerContext): number {
  return Math.floor(clock.now() / 1000)
}
