import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { expect, test } from 'vitest'
import { Markdown } from './markdown.tsx'

const rendered = (text: string) => {
  const html = renderToStaticMarkup(createElement(Markdown, { text, isStreaming: false }))
  return html.replace(/^<div class="md">(.*)<\/div>$/s, '$1')
}

test.each([
  ['**a** *b* ~~c~~ `d`', '<p><strong>a</strong> <em>b</em> <del>c</del> <code>d</code></p>'],
  ['# a', '<h2>a</h2>'],
  ['3. a\n4. b', '<ol start="3"><li>a</li><li>b</li></ol>'],
  [
    '- [x] a\n- [ ] b',
    '<ul><li class="task"><input type="checkbox" disabled="" aria-label="Done" checked=""/>a</li><li class="task"><input type="checkbox" disabled="" aria-label="Done"/>b</li></ul>',
  ],
  [
    '- [x] a\n\n- b',
    '<ul><li class="task"><input type="checkbox" disabled="" aria-label="Done" checked=""/><p>a</p></li><li><p>b</p></li></ul>',
  ],
  ['> a', '<blockquote><p>a</p></blockquote>'],
  ['a &amp; b &lt;c&gt; \\*d\\*', '<p>a &amp; b &lt;c&gt; *d*</p>'],
  ['a  \nb<br>c', '<p>a<br/>b<br/>c</p>'],
  [
    '[a](https://b.example)',
    '<p><a href="https://b.example/" target="_blank" rel="noopener noreferrer nofollow">a</a></p>',
  ],
])('%j is shown as it is meant', (text, expected) => {
  expect(rendered(text)).toBe(expected)
})

test.each([
  ['<script>alert(1)</script>', '<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>'],
  ['a <img src=x onerror=alert(1)> b', '<p>a &lt;img src=x onerror=alert(1)&gt; b</p>'],
  ['[a](javascript:alert(1))', '<p>a</p>'],
  ['[a](/api/sessions)', '<p>a</p>'],
  ['![a](javascript:alert(1))', '<p>a</p>'],
  ['![a](data:image/svg+xml;base64,PHN2Zz4=)', '<p>a</p>'],
])('%j does nothing', (text, expected) => {
  expect(rendered(text)).toBe(expected)
})

test('an image of somewhere else is a link, for looking at it would tell who looks', () => {
  expect(rendered('![a](https://b.example/c.png)')).not.toContain('<img')
  expect(rendered('![a](https://b.example/c.png)')).toContain('href="https://b.example/c.png"')
})
