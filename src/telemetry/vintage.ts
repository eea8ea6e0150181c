import type { Attributes } from '@opentelemetry/api'

// What the OpenTelemetry conventions for generative AI call a fact, by their vintage: 1.36 is what many backends still
// read, 1.41 the last one of the general conventions, genai-0.1 the first of their own. undefined: no name for it.

export const vintages = ['1.36', '1.41', 'genai-0.1'] as const
/** A version of the conventions. Backends lag behind by years, so a program has to choose. */
export type Vintage = (typeof vintages)[number]
type Names = Readonly<Record<Vintage, string | undefined>>

const always = (name: string): Names => ({ '1.36': name, '1.41': name, 'genai-0.1': name })
const since141 = (name: string): Names => ({ '1.36': undefined, '1.41': name, 'genai-0.1': name })
const sinceGenai = (name: string): Names => ({ '1.36': undefined, '1.41': undefined, 'genai-0.1': name })

export const attributeNames = {
  // Ours, or read by backends whatever the vintage: these four are on every span.
  sessionId: always('session.id'),
  conversationId: always('gen_ai.conversation.id'),
  inferenceId: always('geppetto.inference_id'),
  turnId: always('geppetto.turn_id'),
  providerCallId: always('geppetto.provider_call_id'),
  attempt: always('geppetto.attempt'),
  restarts: always('geppetto.restarts'),
  finishClass: always('geppetto.finish_class'),

  operation: always('gen_ai.operation.name'),
  provider: { '1.36': 'gen_ai.system', '1.41': 'gen_ai.provider.name', 'genai-0.1': 'gen_ai.provider.name' },
  /** On the span of an inference, which may ask several. */
  agentProvider: { '1.36': 'gen_ai.system', '1.41': 'gen_ai.provider.name', 'genai-0.1': undefined },
  requestModel: always('gen_ai.request.model'),
  maxTokens: always('gen_ai.request.max_tokens'),
  stream: since141('gen_ai.request.stream'),
  responseModel: always('gen_ai.response.model'),
  responseId: always('gen_ai.response.id'),
  finishReasons: always('gen_ai.response.finish_reasons'),
  timeToFirstChunk: since141('gen_ai.response.time_to_first_chunk'),
  errorType: always('error.type'),

  inputTokens: always('gen_ai.usage.input_tokens'),
  outputTokens: always('gen_ai.usage.output_tokens'),
  cacheReadTokens: since141('gen_ai.usage.cache_read.input_tokens'),
  cacheWriteTokens: {
    '1.36': undefined,
    '1.41': 'gen_ai.usage.cache_creation.input_tokens',
    'genai-0.1': 'gen_ai.usage.cache_write.input_tokens',
  },
  reasoningTokens: since141('gen_ai.usage.reasoning.output_tokens'),
  tokenType: { '1.36': 'gen_ai.token.type', '1.41': 'gen_ai.token.type', 'genai-0.1': undefined },
  tokenModality: sinceGenai('gen_ai.token.modality'),

  toolName: always('gen_ai.tool.name'),
  toolType: always('gen_ai.tool.type'),
  toolCallId: always('gen_ai.tool.call.id'),
  toolArguments: since141('gen_ai.tool.call.arguments'),
  toolResult: since141('gen_ai.tool.call.result'),
  inputMessages: since141('gen_ai.input.messages'),
  outputMessages: since141('gen_ai.output.messages'),
} as const satisfies Readonly<Record<string, Names>>
export type AttributeFact = keyof typeof attributeNames
export type AttributeFacts = { readonly [F in AttributeFact]?: string | number | boolean | string[] | undefined }

/** The facts that are there, under their names in this vintage. */
export function attributesOf(vintage: Vintage, facts: AttributeFacts): Attributes {
  const attributes: Attributes = {}
  for (const [fact, value] of Object.entries(facts)) {
    const name = attributeNames[fact as AttributeFact][vintage] // a key of AttributeFacts
    if (name !== undefined && value !== undefined) attributes[name] = value
  }
  return attributes
}

/** The name that the conventions have for a provider of ours; others keep their own. */
const providerNames: Readonly<Record<string, string>> = { 'openai-responses': 'openai', gemini: 'gcp.gemini' }

export function providerName(provider: string): string {
  return providerNames[provider] ?? provider
}

export interface MetricKind {
  readonly instrument: 'counter' | 'histogram'
  /** As UCUM writes it. */
  readonly unit: 's' | '{token}' | '{inference_call}' | '{tool_call}'
  /** Upper bounds of a histogram's buckets. */
  readonly boundaries?: readonly number[]
  readonly names: Names
}

const doubling = (from: number, count: number) => Array.from({ length: count }, (_none, index) => from * 2 ** index)
const callSeconds = doubling(0.01, 14)
const firstChunkSeconds = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const nextChunkSeconds = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]
const tokens = Array.from({ length: 14 }, (_none, index) => 4 ** index)

const histogram = (unit: MetricKind['unit'], boundaries: readonly number[], names: Names): MetricKind => {
  return { instrument: 'histogram', unit, boundaries, names }
}
const tokenCounter = (part: string): MetricKind => {
  return { instrument: 'counter', unit: '{token}', names: sinceGenai(`gen_ai.client.inference.usage.${part}`) }
}
const operationThenInference = (name: string, since: Vintage): Names => ({
  '1.36': since === '1.36' ? `gen_ai.client.operation.${name}` : undefined,
  '1.41': `gen_ai.client.operation.${name}`,
  'genai-0.1': `gen_ai.client.inference.${name}`,
})

export const metricKinds = {
  callDuration: histogram('s', callSeconds, operationThenInference('duration', '1.36')),
  timeToFirstChunk: histogram('s', firstChunkSeconds, operationThenInference('time_to_first_chunk', '1.41')),
  timePerOutputChunk: histogram('s', nextChunkSeconds, operationThenInference('time_per_output_chunk', '1.41')),
  /** Once for input and once for output, told apart by an attribute. */
  tokensByType: histogram('{token}', tokens, {
    '1.36': 'gen_ai.client.token.usage',
    '1.41': 'gen_ai.client.token.usage',
    'genai-0.1': undefined,
  }),
  inputTokens: tokenCounter('input_tokens'),
  outputTokens: tokenCounter('output_tokens'),
  cacheReadTokens: tokenCounter('cache_read.input_tokens'),
  cacheWriteTokens: tokenCounter('cache_write.input_tokens'),
  reasoningTokens: tokenCounter('reasoning.output_tokens'),
  inputTokensOfCall: histogram('{token}', tokens, sinceGenai('gen_ai.client.inference.operation.input_tokens')),
  outputTokensOfCall: histogram('{token}', tokens, sinceGenai('gen_ai.client.inference.operation.output_tokens')),
  agentDuration: histogram('s', doubling(0.1, 13), sinceGenai('gen_ai.invoke_agent.duration')),
  agentCalls: histogram('{inference_call}', doubling(1, 8), sinceGenai('gen_ai.invoke_agent.inference_calls')),
  agentToolCalls: histogram('{tool_call}', doubling(1, 8), sinceGenai('gen_ai.invoke_agent.tool_calls')),
  toolDuration: histogram('s', callSeconds, sinceGenai('gen_ai.execute_tool.duration')),
} as const satisfies Readonly<Record<string, MetricKind>>
export type MetricFact = keyof typeof metricKinds
