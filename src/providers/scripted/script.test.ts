import { describe, expect, test } from 'vitest'
import { parseScript } from './script.ts'

const reply = 'reply: [{text: Yes.}]'

describe('a script', () => {
  test('is a list of rules, with defaults for what they leave out', () => {
    const [rule] = parseScript(`[{${reply}}]`)
    expect(rule).toEqual({ label: 'rule 1', tools: [], reply: [{ type: 'text', text: 'Yes.' }] })
  })

  test('has every kind of step; a tool that a reply calls must be on offer', () => {
    const [rule] = parseScript(`
- name: all
  when: '^go (?<where>\\w+)'
  tools: [map]
  reply:
    - reasoning: Hm.
    - text: 'To {{where}}.'
    - tool_call: {name: walk, args: {to: '{{where}}'}}
    - tool_call: {name: map}
    - pause_ms: 20
    - fail: {message: Lost.}
  stop_reason: refusal`)
    expect(rule).toMatchObject({ label: 'rule 1 (all)', tools: ['map', 'walk'], stopReason: 'refusal' })
    expect(rule?.when?.test('GO home')).toBe(true)
    expect(rule?.reply).toEqual([
      { type: 'reasoning', text: 'Hm.' },
      { type: 'text', text: 'To {{where}}.' },
      { type: 'tool_call', name: 'walk', args: { to: '{{where}}' } },
      { type: 'tool_call', name: 'map', args: {} },
      { type: 'pause', ms: 20 },
      { type: 'fail', code: 'PROVIDER_STREAM_ERROR', message: 'Lost.' },
    ])
  })
})

describe('a script that cannot be used is refused, and the rule is named', () => {
  const cases: readonly (readonly [what: string, source: string, says: string])[] = [
    ['no YAML', '[', 'the script, it is no YAML'],
    ['no list', 'reply: []', 'the script, it must be a list of rules'],
    ['an empty list', '[]', 'the script, it must be a list of rules'],
    ['a rule that is no object', '[1]', 'rule 1, the rule must be an object'],
    ['no reply', '[{name: shy}]', 'rule 1 (shy), reply is missing'],
    ['a reply that is no list', '[{reply: Hello}]', 'rule 1, reply must be a list of steps'],
    ['an empty reply', '[{reply: []}]', 'rule 1, reply must have a step'],
    ['an unknown field', `[{${reply}, then: 1}]`, 'rule 1, then is not known'],
    ['an unknown step', '[{reply: [{sing: la}]}]', 'rule 1, reply.0.sing is not known'],
    ['two steps in one', '[{reply: [{text: a, pause_ms: 1}]}]', 'rule 1, reply.0 must be one of text'],
    ['text that is none', '[{reply: [{text: 3}]}]', 'rule 1, reply.0.text must be text'],
    ['a call without a name', '[{reply: [{tool_call: {args: {}}}]}]', 'rule 1, reply.0.tool_call.name is missing'],
    [
      'arguments that JSON cannot say',
      '[{reply: [{tool_call: {name: a, args: .nan}}]}]',
      'rule 1, reply.0.tool_call.args must be JSON',
    ],
    ['an unknown failure', '[{reply: [{fail: {code: OOPS, message: a}}]}]', 'rule 1, reply.0.fail.code'],
    ['a pause back in time', '[{reply: [{pause_ms: -1}]}]', 'rule 1, reply.0.pause_ms must be 0 or more'],
    [
      'a broken pattern, in the second rule',
      `[{${reply}}, {name: b, when: '(', ${reply}}]`,
      'rule 2 (b), when is no regular expression',
    ],
    ['failed without tool_result', `[{failed: true, ${reply}}]`, 'rule 1, failed needs tool_result'],
    [
      'a value that does not exist',
      "[{when: '(?<a>x)(y)', reply: [{text: '{{b}}'}]}]",
      'rule 1, {{b}} stands for nothing; it may use {{prompt}}, {{0}}, {{1}}, {{2}}, {{a}}',
    ],
    ['a result where there is none', "[{reply: [{text: '{{result}}'}]}]", 'rule 1, {{result}} stands for nothing'],
  ]
  test.each(cases)('%s', (_what, source, says) => {
    expect(() => parseScript(source)).toThrow(
      expect.objectContaining({ code: 'SCRIPT_INVALID', message: expect.stringContaining(says) as string }),
    )
  })
})
