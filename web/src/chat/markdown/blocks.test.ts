import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { closedBlock, emptyDocument, readDocument } from './blocks.ts'

const samples = {
  paragraphs: 'One *line*\nand another.\n\nA second one, **bold**.',
  lists: '- a\n- b\n\n  more of b\n\n1. one\n2. two\n   - nested\n\nafter',
  table: 'Before\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n\nafter',
  code: 'See:\n\n```ts\nconst a = 1\n\nconst b = 2\n```\n\nafter\n\n    indented\n',
  headings: '# One\n\nTitle\n===\n\ntext\n\n---\n\n> quoted\nlazily\n\nend',
  formulas: 'Euler: $e^{i\\pi} = -1$.\n\n$$\na^2 + b^2\n$$\n\n\\[x\\]\n\nend',
  html: '<div>\n\n**bold**\n\n</div>\n\n<script>alert(1)</script>',
  document: readFileSync(new URL('../../../../README.md', import.meta.url), 'utf8'),
}

describe('reading a text that grows', () => {
  test.each(Object.entries(samples))('%s: is as reading it whole, wherever it is cut', (_name, text) => {
    let grown = emptyDocument
    for (let end = 1; end <= text.length; end += 3) grown = readDocument(text.slice(0, end), grown)
    grown = readDocument(text, grown)
    expect(grown).toEqual(readDocument(text))
  })

  test('what is behind stays the same object', () => {
    const before = readDocument(samples.paragraphs)
    const after = readDocument(`${samples.paragraphs} And so on.`, before)
    expect(after.blocks[0]).toBe(before.blocks[0])
    expect(after.blocks.at(-1)).not.toBe(before.blocks.at(-1))
  })

  test('another text is read anew', () => {
    expect(readDocument('b', readDocument('a'))).toEqual(readDocument('b'))
  })
})

describe('what is not closed yet', () => {
  test.each([
    ['some **bold te', 'strong'],
    ['some `cod', 'codespan'],
    ['some *slanted', 'em'],
  ])('%j is shown as if it were', (text, type) => {
    const [block] = readDocument(text).blocks
    const { token } = closedBlock(block!)
    expect(token).toMatchObject({ tokens: expect.arrayContaining([expect.objectContaining({ type })]) })
  })
})

describe('formulas', () => {
  const typesOf = (text: string) => {
    const [block] = readDocument(text).blocks
    const { token } = block!
    return 'tokens' in token ? (token.tokens ?? []).map(({ type }) => type) : [token.type]
  }
  test.each([
    ['it is $x^2$ then', ['text', 'math', 'text']],
    ['it is \\(x\\) then', ['text', 'math', 'text']],
    ['$$x$$', ['math']],
    ['it costs $5 or $10', ['text']],
    ['it costs $5 and $ 6', ['text']],
    ['`$x$` is code', ['codespan', 'text']],
  ])('%j', (text, expected) => {
    expect(typesOf(text)).toEqual(expected)
  })
})
