import type { NoteAt, Part } from '../part.ts'
import type { Content } from './content.ts'
import { generationOf } from './model.ts'

// What only the whole conversation shows: how it begins and ends, and which calls lack a signature.

/** Stands in where the API needs the user to speak and the turn has nothing. */
const goOn: Part = { block: -1, content: { text: 'Continue.' } }

/** The contents with what the API would refuse put right. */
export function settle(contents: readonly Content[], model: string, noteAt: NoteAt): readonly Content[] {
  const whole = withUserAtBothEnds(contents, noteAt)
  return (generationOf(model) ?? 0) >= 3 ? withSignedCalls(whole, noteAt) : whole
}

// "Function call turn comes immediately after a user turn"; "requests ending with a model turn are not supported".
function withUserAtBothEnds(contents: readonly Content[], noteAt: NoteAt): readonly Content[] {
  const first = contents[0]
  const last = contents.at(-1)
  const spoken: Content = { role: 'user', parts: [goOn] }
  if (first === undefined || last === undefined) {
    noteAt(0)('missing-user-message', 'there is nothing to send; a user message is put in')
    return [spoken]
  }
  if (first.role === 'model')
    noteAt(first.parts[0]?.block ?? 0)('missing-user-message', 'a conversation begins with the user')
  if (last.role === 'model')
    noteAt(last.parts.at(-1)?.block ?? 0)('missing-user-message', 'a conversation ends with the user')
  return [...(first.role === 'model' ? [spoken] : []), ...contents, ...(last.role === 'model' ? [spoken] : [])]
}

// Gemini 3 refuses a request in whose current turn, which is all behind the last words of the user, the first call of a
// step is not signed. For calls that it did not make, such as another model's, the documented word is this one.
// ai.google.dev/gemini-api/docs/thought-signatures#faqs
const noSignature = 'skip_thought_signature_validator'

function withSignedCalls(contents: readonly Content[], noteAt: NoteAt): readonly Content[] {
  const start = contents.findLastIndex(({ role, parts }) => role === 'user' && !parts.some(isResponse))
  return contents.map((content, index) => (index > start ? withSignedCall(content, noteAt) : content))
}

function withSignedCall({ role, parts }: Content, noteAt: NoteAt): Content {
  const place = parts.findIndex(({ content }) => 'functionCall' in content)
  const part = parts[place]
  if (part === undefined || (part.content['thoughtSignature'] ?? '') !== '') return { role, parts }
  noteAt(part.block)('unsigned-call', 'the call has no signature of Gemini, and says so')
  return { role, parts: parts.with(place, { ...part, content: { ...part.content, thoughtSignature: noSignature } }) }
}

function isResponse({ content }: Part): boolean {
  return 'functionResponse' in content
}
