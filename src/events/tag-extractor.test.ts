import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TagExtractor, type MalformedPolicy, type TagExtractorOptions, type TagPart } from './tag-extractor.ts'

const tags = ['app:chart:v1', 'app:chart:v2', 'x:y:z']

function extract(chunks: readonly string[], options: Partial<TagExtractorOptions> = {}): readonly TagPart[] {
  const extractor = new TagExtractor({ tags, ...options })
  return joined([...chunks.flatMap((chunk) => extractor.push(chunk)), ...extractor.end()])
}

/** Pieces of text, and of one payload, put together: where they were cut does not matter. */
function joined(parts: readonly TagPart[]): readonly TagPart[] {
  return parts.reduce<TagPart[]>((all, part) => {
    const last = all.at(-1)
    if (last?.type === 'text' && part.type === 'text')
      return [...all.slice(0, -1), { ...part, text: last.text + part.text }]
    if (last?.type === 'raw' && part.type === 'raw') return [...all.slice(0, -1), { ...part, raw: last.raw + part.raw }]
    return [...all, part]
  }, [])
}

/** A line for each part, to read in a table. */
function lines(parts: readonly TagPart[]): readonly string[] {
  return parts.map((part) => {
    if (part.type === 'text') return part.text
    if (part.type === 'block-started') return `[${part.tag}`
    if (part.type === 'raw') return `= ${part.raw}`
    return `${part.ok ? ']' : `! ${part.error ?? 'ignored'} |`} ${part.raw}`
  })
}

const noClosingTag = 'malformed block <x:y:z>: it has no closing tag </x:y:z>'

describe('TagExtractor', () => {
  it.each<[string, string, readonly string[]]>([
    ['plain text', 'a < b', ['a < b']],
    ['a block in text', 'a<x:y:z>p</x:y:z>b', ['a', '[x:y:z', '= p', '] p', 'b']],
    ['an empty payload', '<x:y:z></x:y:z>', ['[x:y:z', '] ']],
    [
      'blocks back to back',
      '<x:y:z>1</x:y:z><app:chart:v2>2</app:chart:v2>',
      ['[x:y:z', '= 1', '] 1', '[app:chart:v2', '= 2', '] 2'],
    ],
    ['an unknown tag is text, and so is its closing tag', '<a:b:c>1</a:b:c>', ['<a:b:c>1</a:b:c>']],
    ['a closing tag without a block is text', '</x:y:z>', ['</x:y:z>']],
    ['case matters', '<X:y:z>', ['<X:y:z>']],
    ['no spaces in a tag', '<x:y:z ><x: y:z>', ['<x:y:z ><x: y:z>']],
    ['a bracket before a tag', '<<x:y:z>p</x:y:z>', ['<', '[x:y:z', '= p', '] p']],
    ['the beginning of a tag before a tag', '<x:y<x:y:z>p</x:y:z>', ['<x:y', '[x:y:z', '= p', '] p']],
    [
      'a closing tag that is none is payload',
      '<x:y:z></x:y:Z></x:y:z!></x:y:z>',
      ['[x:y:z', '= </x:y:Z></x:y:z!>', '] </x:y:Z></x:y:z!>'],
    ],
    ['a bracket before the closing tag', '<x:y:z><</x:y:z>', ['[x:y:z', '= <', '] <']],
    [
      'another tag inside is payload',
      '<x:y:z><app:chart:v1></x:y:z>',
      ['[x:y:z', '= <app:chart:v1>', '] <app:chart:v1>'],
    ],
    [
      'the same tag inside is payload',
      '<x:y:z><x:y:z></x:y:z></x:y:z>',
      ['[x:y:z', '= <x:y:z>', '] <x:y:z>', '</x:y:z>'],
    ],
    ['the beginning of a tag at the end is kept', 'a<x:y', ['a<x:y']],
    ['no text', '', []],
  ])('%s', (_what, text, parts) => {
    expect(lines(extract([text]))).toEqual(parts)
    expect(lines(extract([...text]))).toEqual(parts)
  })

  const unclosed = 'a<x:y:z>pay<load</x:y'
  it.each<[MalformedPolicy, readonly string[]]>([
    ['error', ['a', '[x:y:z', '= pay<load</x:y', `! ${noClosingTag} | <x:y:z>pay<load</x:y`]],
    ['ignore', ['a', '[x:y:z', '= pay<load</x:y', '! ignored | <x:y:z>pay<load</x:y']],
    [
      'reconstruct',
      ['a', '[x:y:z', '= pay<load</x:y', `! ${noClosingTag} | <x:y:z>pay<load</x:y`, '<x:y:z>pay<load</x:y'],
    ],
  ])('a block that never ends, under %s', (malformed, parts) => {
    expect(lines(extract([unclosed], { malformed }))).toEqual(parts)
    expect(lines(extract([...unclosed], { malformed }))).toEqual(parts)
  })

  const long = '<x:y:z>12345</x:y:z>b'
  const tooLarge = 'malformed block <x:y:z>: its payload has more than 4 bytes'
  it.each<[string, string, TagExtractorOptions['malformed'], readonly string[]]>([
    ['that just fits', '<x:y:z>1234</x:y:z>b', 'error', ['[x:y:z', '= 1234', '] 1234', 'b']],
    ['too large, under error', long, 'error', ['[x:y:z', '= 1234', `! ${tooLarge} | <x:y:z>1234`, 'b']],
    ['too large, under ignore', long, 'ignore', ['[x:y:z', '= 1234', '! ignored | <x:y:z>1234', 'b']],
    [
      'too large, under reconstruct',
      long,
      'reconstruct',
      ['[x:y:z', '= 1234', `! ${tooLarge} | <x:y:z>1234`, '<x:y:z>12345</x:y:z>b'],
    ],
    ['too large and never closed', '<x:y:z>12345', 'error', ['[x:y:z', '= 1234', `! ${tooLarge} | <x:y:z>1234`]],
    [
      'too large by the beginning of its closing tag',
      '<x:y:z>123</x:y',
      'reconstruct',
      ['[x:y:z', '= 123<', `! ${tooLarge} | <x:y:z>123<`, '<x:y:z>123</x:y'],
    ],
    ['that would be cut in a character', '<x:y:z>1😀2</x:y:z>', 'error', ['[x:y:z', '= 1', `! ${tooLarge} | <x:y:z>1`]],
    [
      'of wide characters that is too large',
      '<x:y:z>é中</x:y:z>',
      'error',
      ['[x:y:z', '= é', `! ${tooLarge} | <x:y:z>é`],
    ],
    ['of one character of four bytes', '<x:y:z>😀</x:y:z>', 'error', ['[x:y:z', '= 😀', '] 😀']],
  ])('a payload %s', (_what, text, malformed = 'error', parts) => {
    const options = { malformed, maxCaptureBytes: 4 }
    expect(lines(extract([text], options))).toEqual(parts)
    expect(lines(extract(text.split(''), options))).toEqual(parts)
  })

  it('holds back no more than what may become a tag', () => {
    const extractor = new TagExtractor({ tags })
    expect(extractor.push('a<x:')).toEqual([{ type: 'text', text: 'a' }])
    expect(extractor.push('n')).toEqual([{ type: 'text', text: '<x:n' }])
    expect(extractor.push('<app:chart:v3')).toEqual([{ type: 'text', text: '<app:chart:v3' }])
  })

  it('gives the payload as it comes, once for each piece of text', () => {
    const extractor = new TagExtractor({ tags })
    extractor.push('<x:y:z>')
    expect(extractor.push('a<b<c</x')).toEqual([{ type: 'raw', tag: 'x:y:z', raw: 'a<b<c' }])
  })

  it('is as new after the end', () => {
    const extractor = new TagExtractor({ tags, maxCaptureBytes: 2 })
    for (const text of ['<x:y:z>123', '<x:y:z>1', 'a<x', '<x:y:z>12</x:y:z>']) {
      extractor.push(text)
      extractor.end()
    }
    expect(lines(joined([...extractor.push('<x:y:z>12</x:y:z>'), ...extractor.end()]))).toEqual([
      '[x:y:z',
      '= 12',
      '] 12',
    ])
  })

  it.each(['', 'a:b', 'a:b:c:d', 'a:b:c d', '<a:b:c>', 'a::c'])('refuses %j as a tag', (tag) => {
    expect(() => new TagExtractor({ tags: [tag] })).toThrow('is no tag; write it as package:type:version')
  })
})

// Everything that has a meaning to the extractor, whole, cut off, and nearly right.
const morsel = fc.constantFrom(
  ...tags.flatMap((tag) => [
    `<${tag}>`,
    `</${tag}>`,
    `<${tag}`,
    `</${tag}`,
    `<${tag.slice(0, 4)}`,
    `</${tag.slice(0, 4)}`,
  ]),
  '<',
  '>',
  '/',
  '</',
  '<<',
  ':',
  'v1>',
  'v2>',
  'a',
  '\n',
  '😀',
  '\ud83d',
  '\ude00',
  'é',
  '<X:y:z>',
  '<a:b:c>',
  '</x:y:z >',
)
const text = fc.array(morsel, { maxLength: 14 }).map((morsels) => morsels.join(''))
const cuts = fc.array(fc.nat({ max: 9 }))
const options = fc.record({
  malformed: fc.constantFrom('error', 'reconstruct', 'ignore'),
  maxCaptureBytes: fc.constantFrom(Infinity, 0, 1, 5, 20),
})

function cut(whole: string, sizes: readonly number[]): readonly string[] {
  let rest = whole
  const chunks = sizes.map((size) => {
    const chunk = rest.slice(0, size)
    rest = rest.slice(size)
    return chunk
  })
  return [...chunks, rest]
}

describe('TagExtractor, for any text', () => {
  it('finds the same wherever the text is cut', () => {
    fc.assert(
      fc.property(text, cuts, options, (whole, sizes, chosen) => {
        expect(extract(cut(whole, sizes), chosen)).toEqual(extract([whole], chosen))
      }),
      { numRuns: 3000 },
    )
  })

  it('finds what a search through the whole text finds', () => {
    fc.assert(
      fc.property(text, cuts, (whole, sizes) => {
        const found = extract(cut(whole, sizes)).flatMap((part): readonly unknown[] => {
          if (part.type === 'text') return [part.text]
          return part.type === 'block-finished' ? [[part.tag, part.ok, part.raw]] : []
        })
        expect(found).toEqual(search(whole))
      }),
      { numRuns: 3000 },
    )
  })

  it('loses nothing when malformed blocks become text again', () => {
    fc.assert(
      fc.property(text, cuts, fc.constantFrom(Infinity, 0, 1, 5), (whole, sizes, maxCaptureBytes) => {
        const parts = extract(cut(whole, sizes), { malformed: 'reconstruct', maxCaptureBytes })
        const kept = parts.map((part) => {
          if (part.type === 'text') return part.text
          return part.type === 'block-finished' && part.ok ? `<${part.tag}>${part.raw}</${part.tag}>` : ''
        })
        expect(kept.join('')).toBe(whole)
      }),
      { numRuns: 2000 },
    )
  })

  it('gives each payload in pieces and whole', () => {
    fc.assert(
      fc.property(text, cuts, options, (whole, sizes, chosen) => {
        let pieces = ''
        for (const part of extract(cut(whole, sizes), chosen)) {
          if (part.type === 'block-started') pieces = ''
          if (part.type === 'raw') pieces += part.raw
          if (part.type === 'block-finished') expect(part.raw).toBe(part.ok ? pieces : `<${part.tag}>${pieces}`)
        }
      }),
    )
  })
})

/** What is in the whole of a text: its text, and its blocks as [tag, ok, raw]. */
function search(whole: string): readonly unknown[] {
  const opener = /<(app:chart:v1|app:chart:v2|x:y:z)>/.exec(whole)
  const before = opener === null ? whole : whole.slice(0, opener.index)
  const head = before === '' ? [] : [before]
  if (opener === null) return head
  const [open, tag = ''] = opener
  const payload = whole.slice(opener.index + open.length)
  const end = payload.indexOf(`</${tag}>`)
  if (end === -1) return [...head, [tag, false, open + payload]]
  return [...head, [tag, true, payload.slice(0, end)], ...search(payload.slice(end + open.length + 1))]
}
