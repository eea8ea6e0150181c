import { expect, test } from 'vitest'
import { ownImage, safeLink } from './links.ts'

test.each([
  ['https://example.com/a?b=c', 'https://example.com/a?b=c'],
  ['mailto:ada@example.com', 'mailto:ada@example.com'],
  ['javascript:alert(1)', undefined],
  ['JAVA\nSCRIPT:alert(1)', undefined],
  ['data:text/html,<script>', undefined],
  ['/api/sessions', undefined],
  ['//evil.example', undefined],
  ['', undefined],
])('a link to %j leads to %j', (href, expected) => {
  expect(safeLink(href)).toBe(expected)
})

test.each([
  ['data:image/png;base64,iVBORw0KGgo=', true],
  ['data:image/svg+xml;base64,PHN2Zz4=', false],
  ['https://example.com/pixel.png', false],
])('an image at %j is shown: %j', (href, isShown) => {
  expect(ownImage(href) !== undefined).toBe(isShown)
})
