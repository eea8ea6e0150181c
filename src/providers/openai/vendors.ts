// Everyone speaks Chat Completions, and everyone a little differently. What differs in what is sent stands here; what
// differs in what comes back is read whoever sends it.

export interface Vendor {
  readonly name: string
  /**
   * How the reasoning of earlier replies goes back. `never`: the vendor ignores or refuses it. `echo`: with tool calls,
   * in the field that it came in. `required`: as `reasoning_content` of every message with tool calls. `details`: as
   * `reasoning_details`. `parts`: as parts of the content.
   */
  readonly reasoning: 'never' | 'echo' | 'required' | 'details' | 'parts'
  /** The field that turns thinking on and off. */
  readonly thinking: 'thinking' | 'enable_thinking' | 'reasoning'
  /** Whether `reasoning_effort` is refused beside `thinking`. */
  readonly thinkingOrEffort?: boolean
  /** Whether `max_completion_tokens` is known, which reasoning models of OpenAI ask for. */
  readonly knowsCompletionTokens: boolean
  readonly seed: 'seed' | 'random_seed'
  /** Whether usage comes only when it is asked for. */
  readonly asksForUsage: boolean
  /** Which ids of tool calls are taken: all, those of at most 40 characters, or nine letters and digits. */
  readonly callIds: 'any' | 'short' | 'nine'
  /** Whether fields that OpenAI does not have may go back in a tool call (Gemini's thought signatures). */
  readonly takesExtras: boolean
  readonly jsonSchema: boolean
  /** Whether the prompt's beginning can be asked to be kept for longer. */
  readonly keepsPrompt?: boolean
  /** Whether neighbours of one role are refused, as the chat templates of many open models do. */
  readonly alternates?: boolean
  /** Whether a user must not speak right after a tool. */
  readonly answersTools?: boolean
}

/** A server that nobody here knows: vLLM, llama.cpp, Ollama, a gateway. It gets what none of them refuses. */
const anyServer: Vendor = {
  name: 'any',
  reasoning: 'echo',
  thinking: 'thinking',
  knowsCompletionTokens: true,
  seed: 'seed',
  asksForUsage: true,
  callIds: 'any',
  takesExtras: true,
  jsonSchema: true,
  alternates: true,
}

/** A company's own service: it knows what it takes, and no chat template shows through. */
const service: Vendor = { ...anyServer, reasoning: 'never', takesExtras: false, alternates: false }

// "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40". github.com/vercel/ai/issues/5171
const openai: Vendor = { ...service, name: 'openai', callIds: 'short', keepsPrompt: true }

// "Between two user messages, if the model performed a tool call, the intermediate assistant's reasoning_content must
// participate in the context concatenation and must be passed back to the API in all subsequent user interaction turns";
// without a tool call it is ignored. api-docs.deepseek.com/guides/thinking_mode
const deepseek: Vendor = {
  ...service,
  name: 'deepseek',
  reasoning: 'required',
  knowsCompletionTokens: false,
  jsonSchema: false,
}

// "thinking is enabled but reasoning_content is missing in assistant tool call message". github.com/continuedev/continue/issues/11600
// "cannot specify both 'thinking' and 'reasoning_effort'". github.com/HKUDS/nanobot/issues/3939
const moonshot: Vendor = { ...service, name: 'moonshot', reasoning: 'required', thinkingOrEffort: true }

// "Tool call id was … but must be a-z, A-Z, 0-9, with a length of 9". "Unexpected role 'user' after role 'tool'".
// Unknown fields are refused ("extra_forbidden"): stream_options, seed, max_completion_tokens; usage comes unasked.
// github.com/mistralai/platform-docs-public/issues/7, github.com/zed-industries/zed/issues/37021
const mistral: Vendor = {
  ...service,
  name: 'mistral',
  reasoning: 'parts',
  knowsCompletionTokens: false,
  seed: 'random_seed',
  asksForUsage: false,
  callIds: 'nine',
  answersTools: true,
}

interface Known {
  readonly vendor: Vendor
  readonly host: RegExp
}

const byHost: readonly Known[] = [
  { host: /(?:^|\.)deepseek\.com$/, vendor: deepseek },
  { host: /(?:^|\.)moonshot\.(?:ai|cn)$|(?:^|\.)kimi\.(?:ai|com)$/, vendor: moonshot },
  { host: /(?:^|\.)mistral\.ai$/, vendor: mistral },
  // "'messages.1': property 'reasoning_content' is unsupported". github.com/janhq/jan/issues/8136
  { host: /(?:^|\.)groq\.com$/, vendor: { ...service, name: 'groq' } },
  { host: /(?:^|\.)x\.ai$/, vendor: { ...service, name: 'xai' } },
  // Cerebras takes `reasoning`, which it sends, and refuses `reasoning_content`. github.com/QwenLM/qwen-code/issues/11045
  { host: /(?:^|\.)cerebras\.ai$/, vendor: { ...service, name: 'cerebras', reasoning: 'echo' } },
  // alibabacloud.com/help/en/model-studio/deep-thinking
  {
    host: /(?:^|\.)aliyuncs\.com$/,
    vendor: { ...service, name: 'alibaba', reasoning: 'echo', thinking: 'enable_thinking' },
  },
  { host: /(?:^|\.)together\.(?:xyz|ai)$/, vendor: { ...service, name: 'together', reasoning: 'echo' } },
  // docs.fireworks.ai/guides/reasoning
  { host: /(?:^|\.)fireworks\.ai$/, vendor: { ...service, name: 'fireworks', reasoning: 'echo' } },
  // "The entire sequence of consecutive reasoning blocks must match the outputs generated by the model". openrouter.ai/docs/use-cases/reasoning-tokens
  {
    host: /(?:^|\.)openrouter\.ai$/,
    vendor: {
      ...service,
      name: 'openrouter',
      reasoning: 'details',
      thinking: 'reasoning',
      callIds: 'short',
      takesExtras: true,
    },
  },
  { host: /(?:^|\.)openai\.azure\.com$|(?:^|\.)services\.ai\.azure\.com$/, vendor: { ...openai, name: 'azure' } },
]

/** Models that bring their vendor's rules along, wherever they run. */
const byModel: readonly { readonly model: RegExp; readonly vendor: Vendor }[] = [
  { model: /(?:^|\/)deepseek/, vendor: { ...anyServer, name: 'deepseek', reasoning: 'required' } },
  { model: /(?:^|\/)kimi/, vendor: { ...anyServer, name: 'moonshot', reasoning: 'required', thinkingOrEffort: true } },
  {
    model: /mistral|mixtral|magistral|ministral|codestral|devstral|pixtral/,
    vendor: { ...mistral, seed: 'seed', reasoning: 'echo', alternates: true },
  },
]

const openaiHost = /(?:^|\.)openai\.com$/

/** Whose rules hold at this base URL for this model: the host's where it is known, else the model's. */
export function vendorOf(baseUrl: string, model: string): Vendor {
  const host = URL.canParse(baseUrl) ? new URL(baseUrl).hostname.toLowerCase() : ''
  const known = byHost.find((entry) => entry.host.test(host))?.vendor
  const named = byModel.find((entry) => entry.model.test(model.toLowerCase()))?.vendor
  return known ?? named ?? (openaiHost.test(host) ? openai : anyServer)
}
