import { describe, expect, it } from 'vitest'
import { assistantText, otherBlock, reasoning, systemText, toolCall, toolError, toolResult, userText } from './block.ts'
import { printTurn, type PrintOptions } from './print.ts'
import { createTurn } from './turn.ts'

const turn = createTurn([
  { ...systemText('Be brief.\nBe kind.'), id: 's' },
  userText('Look at these', [{ url: 'https://example.com/a.png' }, { file_id: 'f' }]),
  userText('and this', [{ file_id: 'f' }]),
  reasoning({ text: 'Hm,\nwell.' }),
  reasoning({ encrypted_content: 'sealed' }),
  reasoning({}),
  toolCall('c1', 'weather', { city: 'Paris' }),
  toolResult('c1', { celsius: 21 }),
  toolError('c2', 'no such city'),
  toolError('c3', 'half done', 1),
  otherBlock('video', { url: 'u' }),
  { kind: 'other', payload: {} },
  { ...assistantText(''), role: 'narrator' },
  assistantText('21 degrees.'),
])

describe('printTurn', () => {
  it.each<[string, PrintOptions, string]>([
    [
      'by default',
      {},
      `system: Be brief.
Be kind.
user: Look at these [2 images]
user: and this [1 image]
reasoning: Hm,
well.
reasoning: <encrypted content>
reasoning: <no content>
tool_call: name=weather id=c1
  args: {"city":"Paris"}
tool_result: id=c1
  result: {"celsius":21}
tool_result: id=c2
  error: no such city
tool_result: id=c3
  error: half done
  result: 1
video: {"url":"u"}
other: {}
narrator: <no text>
assistant: 21 degrees.
`,
    ],
    [
      'with ids, without roles and tool detail, indented, one line of each text',
      { ids: true, roles: false, toolDetail: false, indent: 2, maxTextLines: 1 },
      `  [00] id=s system: Be brief.
  [01] id=- user: Look at these [2 images]
  [02] id=- user: and this [1 image]
  [03] id=- reasoning: Hm,
  [04] id=- reasoning: <encrypted content>
  [05] id=- reasoning: <no content>
  [06] id=c1 tool_call: weather
  [07] id=- tool_use: id=c1
  [08] id=- tool_use: id=c2 error=no such city
  [09] id=- tool_use: id=c3 error=half done
  [10] id=- video: …
  [11] id=- other: …
  [12] id=- llm_text: <no text>
  [13] id=- llm_text: 21 degrees.
`,
    ],
  ])('prints every kind %s', (_what, options, printed) => {
    expect(printTurn(turn, options)).toBe(printed)
  })

  it.each<[string, PrintOptions, string]>([
    ['indent moves every line', { indent: 2 }, '  user: a\n  b\n\n  c\n'],
    ['maxTextLines cuts a text', { maxTextLines: 2 }, 'user: a\nb\n'],
    ['maxTextLines 0 cuts nothing', { maxTextLines: 0 }, 'user: a\nb\n\nc\n'],
    ['roles off names the kind', { roles: false }, 'user: a\nb\n\nc\n'],
  ])('%s', (_what, options, printed) => {
    expect(printTurn(createTurn([userText('a\nb\n\nc')]), options)).toBe(printed)
  })

  it('prints an empty turn as nothing', () => {
    expect(printTurn(createTurn())).toBe('')
  })
})
