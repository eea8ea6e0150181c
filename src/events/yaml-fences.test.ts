import { describe, expect, it } from 'vitest'
import { extractYamlBlocks, stripCodeFence } from './yaml-fences.ts'

describe('extractYamlBlocks', () => {
  it.each<[string, string, readonly string[]]>([
    ['no fence', 'a: 1', []],
    ['one', 'Hi\n```yaml\na: 1\n```\nbye', ['a: 1\n']],
    ['both names, in any case', '```yaml\na\n```\n```YML\nb\n```\n', ['a\n', 'b\n']],
    ['other languages are skipped', '```json\n{}\n```\n```\nx\n```\n```yamlx\ny\n```', []],
    ['words after the language', '```yaml turn\na\n```', ['a\n']],
    ['a longer fence holds a shorter one', '````yaml\n```\na\n```\n````', ['```\na\n```\n']],
    ['tildes', '~~~yaml\na\n```\n~~~', ['a\n```\n']],
    ['a fence inside of another language is its text', '```md\n~~~yaml\na\n~~~\n```', []],
    ['a closing fence has no words', '```yaml\na\n```yaml\nb\n```', ['a\n```yaml\nb\n']],
    ['one that is never closed goes on to the end', '```yaml\na: 1\nb:', ['a: 1\nb:\n']],
    ['indented by up to three spaces', '   ```yaml\n   a:\n     b\n  c\n   ```', ['a:\n  b\nc\n']],
    ['four spaces are no fence', '    ```yaml\n    a\n    ```', []],
    ['empty', '```yaml\n```', ['']],
    ['line breaks of Windows', '```yaml\r\na: 1\r\n```\r\n', ['a: 1\n']],
    ['an inline code span is no fence', '```yaml``` and\na', []],
  ])('%s', (_what, markdown, blocks) => {
    expect(extractYamlBlocks(markdown)).toEqual(blocks)
  })
})

describe('stripCodeFence', () => {
  it.each<[string, string, string, string]>([
    ['no fence', 'a: 1', '', 'a: 1'],
    ['a fence with a language', '```YAML\na: 1\n```', 'yaml', 'a: 1'],
    ['a fence without one', '```\na\n```\n', '', 'a'],
    ['words around it', 'Here:\n```json\n{}\n```\nDone.', 'json', '{}'],
    ['from the first to the last', '```md\na\n```\nb\n```\nc\n```', 'md', 'a\n```\nb\n```\nc'],
    ['never closed', '```yaml\na: 1\nb', 'yaml', 'a: 1\nb'],
    ['empty', '```\n```', '', ''],
  ])('%s', (_what, text, language, body) => {
    expect(stripCodeFence(text)).toEqual({ language, body })
  })
})
