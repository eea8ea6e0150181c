import { describe, expect, test } from 'vitest'
import { PartedText } from './parted-text.ts'

describe('text in parts', () => {
  test('is shown as it grows, with the separator between two parts', () => {
    const parted = new PartedText('\n\n')
    expect([parted.add('a', 'On'), parted.add('a', 'e'), parted.add('b', ''), parted.add('b', 'Two')]).toEqual([
      'On',
      'e',
      '',
      '\n\nTwo',
    ])
    expect([parted.text, parted.length]).toEqual(['One\n\nTwo', 8])
  })

  test.each([
    ['nothing of which came', [], 'c', 'Three', 'Three'],
    ['whose tail did not come', [['a', 'O']], 'a', 'One', 'ne'],
    ['that is whole', [['a', 'One']], 'a', 'One', ''],
    ['that says something else', [['a', 'Won']], 'a', 'One', ''],
    [
      'behind which another has begun',
      [
        ['a', 'O'],
        ['b', 'T'],
      ],
      'a',
      'One',
      '',
    ],
  ] as const)('a part %s is completed where that can be shown in its place', (_name, before, part, whole, shown) => {
    const parted = new PartedText('')
    for (const [name, delta] of before) parted.add(name, delta)
    expect(parted.settle(part, whole)).toBe(shown)
  })

  test.each([
    ['more', 'One two', ' two', 'One two'],
    ['as much', 'One', '', 'One'],
    ['something else', 'Uno', '', 'Uno'],
    ['something else and more', 'Uno dos', '', 'Uno dos'],
    ['less', 'On', '', 'On'],
    ['nothing', '', '', 'One'],
  ])('when the end says %s, it says %j', (_name, whole, tail, text) => {
    const parted = new PartedText('')
    parted.add('a', 'One')
    expect(parted.finish(whole)).toBe(tail)
    expect(parted.text).toBe(text)
  })
})
