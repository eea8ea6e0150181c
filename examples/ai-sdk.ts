import { DefaultChatTransport, readUIMessageStream } from 'ai'
import { MemoryStore, scripted } from 'geppetto'
import { aiSdk, GeppettoServer, listen } from 'geppetto/server'

const server = await GeppettoServer.open({
  store: new MemoryStore(),
  profiles: [{ slug: 'default', model: scripted({ pace: 0 }) }],
  dialects: [aiSdk()], // POST /api/chat, and GET and POST below it
})
const listening = await listen(server, { port: 0 })

// What useChat does inside.
const transport = new DefaultChatTransport({ api: `${listening.url}/api/chat` })
const stream = await transport.sendMessages({
  chatId: 'chat-1',
  messages: [{ id: 'message-1', role: 'user', parts: [{ type: 'text', text: 'Say hello' }] }],
  trigger: 'submit-message',
  messageId: undefined,
  abortSignal: undefined,
})
for await (const { role, parts, metadata } of readUIMessageStream({ stream })) {
  const isWhole = typeof metadata === 'object' && metadata !== null && 'finish_class' in metadata
  for (const part of parts) if (isWhole && part.type === 'text') console.log(role, '|', part.text)
}

await listening.close()
