// The clients of the AI SDK, of all majors, as one: each test runs with the real packages.

export interface ChatPart {
  readonly type: string
  readonly text?: string
  readonly state?: string
  readonly toolCallId?: string
  readonly output?: unknown
  readonly errorText?: string
  readonly url?: string
  readonly data?: Readonly<Record<string, unknown>>
  readonly approval?: { readonly id: string }
}
export interface ChatMessage {
  readonly id: string
  readonly role: string
  readonly parts: readonly ChatPart[]
  readonly metadata?: Readonly<Record<string, unknown>>
}

interface ChatState {
  status: string
  error: Error | undefined
  messages: readonly ChatMessage[]
  pushMessage(message: ChatMessage): void
  popMessage(): void
  replaceMessage(index: number, message: ChatMessage): void
  snapshot<T>(value: T): T
}

/** What the tests use of a chat, as the majors have it in common. */
export interface Chat {
  readonly id: string
  messages: readonly ChatMessage[]
  readonly status: string
  readonly error: Error | undefined
  sendMessage(
    message?: { readonly text: string; readonly messageId?: string; readonly files?: readonly unknown[] },
    options?: { readonly body?: object },
  ): Promise<void>
  regenerate(options?: { readonly messageId?: string }): Promise<void>
  resumeStream(): Promise<void>
  stop(): Promise<void>
  addToolResult(answer: { readonly tool: string; readonly toolCallId: string; readonly output: unknown }): Promise<void>
  addToolOutput?(failure: {
    readonly state: 'output-error'
    readonly tool: string
    readonly toolCallId: string
    readonly errorText: string
  }): Promise<void>
  addToolApprovalResponse?(answer: {
    readonly id: string
    readonly approved: boolean
    readonly reason?: string
  }): Promise<void>
}

type SendWhen = (options: { readonly messages: readonly ChatMessage[] }) => boolean

/** A major of the package `ai`, as far as the tests need it. */
export interface AiSdk {
  readonly AbstractChat: new (options: object) => Chat
  readonly DefaultChatTransport: new (options: object) => object
  readonly lastAssistantMessageIsCompleteWithToolCalls: SendWhen
  readonly lastAssistantMessageIsCompleteWithApprovalResponses?: SendWhen
}

export interface ChatOptions {
  readonly url: string
  readonly id?: string
  readonly messages?: readonly ChatMessage[]
  readonly ui?: string
  readonly transport?: object
  /** Called for each change of the messages. */
  readonly onChange?: (messages: readonly ChatMessage[]) => void
  readonly sendAutomaticallyWhen?: SendWhen
  readonly fetch?: typeof fetch
  readonly body?: object
}

/** A chat without a user interface: its state is in `messages`. */
export function createChat(sdk: AiSdk, options: ChatOptions): Chat {
  const { url, ui, messages = [], onChange = () => {}, transport, fetch, body, ...rest } = options
  const state: ChatState = {
    status: 'ready',
    error: undefined,
    messages,
    pushMessage(message) {
      state.messages = [...state.messages, message]
      onChange(state.messages)
    },
    popMessage() {
      state.messages = state.messages.slice(0, -1)
    },
    replaceMessage(index, message) {
      state.messages = state.messages.with(index, structuredClone(message))
      onChange(state.messages)
    },
    snapshot: (value) => structuredClone(value),
  }
  const headers = ui === undefined ? {} : { 'x-geppetto-ui': ui }
  const usual = () =>
    new sdk.DefaultChatTransport({ api: `${url}/api/chat`, headers, ...(fetch && { fetch }), ...(body && { body }) })
  return new sdk.AbstractChat({ state, transport: transport ?? usual(), ...rest })
}

/** The messages as the server has them. */
export async function loadMessages(url: string, id: string, ui = '5'): Promise<readonly ChatMessage[]> {
  const response = await fetch(`${url}/api/chat/${id}/messages?ui=${ui}`)
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as readonly ChatMessage[]
}

/** What an application does when a stream broke off, or its page is loaded: see docs/ai-sdk.md. */
export async function recover(chat: Chat, url: string, ui = '5'): Promise<void> {
  chat.messages = await loadMessages(url, chat.id, ui)
  await chat.resumeStream()
  if (chat.messages.at(-1)?.role === 'user') chat.messages = await loadMessages(url, chat.id, ui)
}

/** The texts of the messages, the user's in quotes. */
export function transcript(messages: readonly ChatMessage[]): readonly string[] {
  return messages.map(({ role, parts }) => {
    const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('|')
    return role === 'user' ? `"${text}"` : text
  })
}

/** A message as JSON, without what only some majors add to parts. */
export function plain(messages: readonly ChatMessage[]): unknown {
  return JSON.parse(JSON.stringify(messages), function (this: Record<string, unknown>, key, value: unknown) {
    if (key === 'rawInput' || (key === 'id' && this['type'] === 'reasoning')) return undefined
    return key === 'metadata' && this['role'] === 'user' ? undefined : value
  })
}
