import { calculator, MemoryStore, scripted } from 'geppetto'
import { GeppettoServer, listen, openAi } from 'geppetto/server'
import OpenAI from 'openai'

const server = await GeppettoServer.open({
  store: new MemoryStore(),
  profiles: [{ slug: 'assistant', model: scripted({ pace: 0 }), tools: [calculator] }],
  dialects: [openAi()],
})
const { url, close } = await listen(server, { port: 0 })
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' })

// A profile is a model.
const completion = await openai.chat.completions.create({
  model: 'assistant',
  messages: [{ role: 'user', content: 'Say hello' }],
})
console.log(completion.choices[0]?.message.content)

// A response is an inference in a session; its tools run in the server.
const stream = await openai.responses.create({ model: 'assistant', input: 'What is 17 * 23?', stream: true })
let id = ''
let known = 0
for await (const event of stream) {
  if (event.type === 'response.created') id = event.response.id
  known = event.sequence_number
  if (event.type === 'response.mcp_call.in_progress') break // the viewer goes away; the response does not
}

// Whoever comes back, to whichever process, goes on with the next event.
for await (const event of await openai.responses.retrieve(id, { stream: true, starting_after: known })) {
  if (event.type === 'response.output_text.done') console.log(event.text)
}

// The next response goes on in the session.
const next = await openai.responses.create({ model: 'assistant', input: 'Say goodbye', previous_response_id: id })
console.log(next.output_text)

await close()
