import { describe, expect, test } from 'vitest'
import { item } from '../../../test/support/responses-replies.ts'
import {
  body,
  hi,
  hiItem,
  input,
  project,
  said,
  saidIn,
  sealedElsewhere,
  stored,
} from '../../../test/support/responses-runs.ts'
import { validateResponsesRequest } from '../../../test/support/validate-responses.ts'
import { assistantText, reasoning, toolResult, userText, type Block } from '../../turns/block.ts'
import { blockResultKey, partialKey } from '../../turns/keys.ts'

describe('reasoning', () => {
  const sealed = item.reasoning('rs_1', ['Hm'])
  const message = item.message('Done.')
  const call = item.call('call_a', 'f', '{}')

  test.each<[string, (blocks: readonly Block[]) => readonly Block[]]>([
    ['is gone', ([thought]) => [thought!, userText('More')]],
    ['was moved behind a prompt', ([thought, answer]) => [thought!, userText('More'), answer!]],
    ['was moved before it', ([thought, answer]) => [answer!, thought!, userText('More')]],
    ['was cut off', ([thought]) => [thought!, partialKey.set(assistantText('Do'), true), userText('More')]],
  ])('whose item %s is left out', async (_name, change) => {
    const { input: sent, repairs } = project(change(await said(sealed, message)))
    expect(sent.map(({ type }) => type)).not.toContain('reasoning')
    expect(repairs).toContainEqual(['unpaired-reasoning', expect.any(Number)])
    expect(validateResponsesRequest(body(change(await said(sealed, message))))).toEqual([])
  })

  test('of another reply is not what led to an item', async () => {
    const [thought] = await saidIn('resp_a', sealed, message)
    const [answer] = await saidIn('resp_b', item.message('Else'))
    expect(project([thought!, answer!]).repairs).toEqual([['unpaired-reasoning', 0]])
  })

  test('of another reply takes no ids with it', async () => {
    const [thought] = await saidIn('resp_a', sealed, message)
    const rest = await saidIn('resp_b', call)
    expect(input([partialKey.set(thought!, true), ...rest, toolResult('call_a', 1)])[0]).toEqual(call)
  })

  test.each([
    ['words', { text: 'Hm?' }],
    ['seal', { encrypted_content: 'broken' }],
  ])('whose %s were changed is left out', async (_name, change) => {
    const [thought, answer] = await said(sealed, message)
    const blocks = [{ ...thought!, payload: { ...thought!.payload, ...change } } as Block, answer!] // as a middleware changes a block
    expect(project(blocks).input.map(({ type }) => type)).toEqual(['message'])
    expect(project(blocks).repairs).toEqual([['edited-block', 0]])
  })

  test('whose item was edited goes only to a server that does not look for the item', async () => {
    const [thought, answer] = await said(sealed, message)
    const blocks = [thought!, { ...assistantText('DONE.'), metadata: answer!.metadata! }]
    expect(input(blocks)[0]).toEqual(sealed)
    expect(project(blocks, stored).repairs).toEqual([
      ['edited-block', 1],
      ['unpaired-reasoning', 0],
    ])
  })

  test('of older turns goes back when its item follows, not when other reasoning does', () => {
    const legacy = (id: string) => reasoning({ item_id: id, encrypted_content: `sealed-${id}` })
    const { input: sent, repairs } = project([legacy('rs_1'), legacy('rs_2'), assistantText('Done.')])
    expect(sent.map(({ id }) => id)).toEqual(['rs_2', undefined])
    expect(repairs).toEqual([['unpaired-reasoning', 0]])
  })

  test('may come in a row when it came so', async () => {
    const items = [sealed, item.reasoning('rs_2', []), call]
    const { input: sent, repairs } = project([...(await said(...items)), toolResult('call_a', 1)])
    expect(sent.slice(0, 3)).toEqual(items)
    expect(repairs).toEqual([])
  })

  test('that is left out takes the ids of what it led to with it, for the server would look for it', async () => {
    const { input: sent } = project([...(await said(sealed, call, message)).slice(1), toolResult('call_a', 1)])
    expect(sent[0]).toEqual(call) // nobody knows of the reasoning: the block is gone
    const [thought, ...rest] = await said(sealed, item.call('call_a', 'f', '{}', { id: 'fc_1' }), message)
    const cut = partialKey.set(thought!, true)
    const { id: _id, ...untiedCall } = item.call('call_a', 'f', '{}')
    expect(project([cut, ...rest, toolResult('call_a', 1)]).input.slice(0, 2)).toEqual([
      untiedCall,
      { type: 'message', content: message['content'], role: 'assistant' },
    ])
  })

  test('of which the server sent the id alone goes back to a server that keeps it, and to no other', async () => {
    const bare = item.reasoning('rs_1', [], '')
    const blocks = [hi, ...(await said(bare, call)), toolResult('call_a', 1)]
    expect(input(blocks, stored).slice(1, 3)).toEqual([bare, call])
    const { input: sent, repairs } = project(blocks)
    expect(sent.slice(1).map(({ type, id }) => [type, id])).toEqual([
      ['function_call', undefined],
      ['function_call_output', undefined],
    ])
    expect(repairs).toEqual([['unsealed-reasoning', 1]])
  })

  test.each<[string, Block, string]>([
    ['another provider', sealedElsewhere(reasoning({ text: 'Hm', signature: 'sig' })), 'foreign-reasoning'],
    [
      'another provider that sealed it',
      sealedElsewhere(reasoning({ item_id: 'rs_1', encrypted_content: 'redacted' })),
      'foreign-reasoning',
    ],
    [
      'another provider, as its call says',
      blockResultKey.set(reasoning({ item_id: 'rs_1', encrypted_content: 'x' }), {
        provider: 'elsewhere',
        finish_class: 'completed',
      }),
      'foreign-reasoning',
    ],
    ['a provider that left the id alone', reasoning({ item_id: 'rs_1', text: 'Hm' }), 'unsealed-reasoning'],
    [
      'another provider, of an older version, that sealed it',
      reasoning({ encrypted_content: 'x', signature: 'sig' }),
      'foreign-reasoning',
    ],
    ['another provider, of an older version', reasoning({ text: 'Hm', signature: 'sig' }), 'foreign-reasoning'],
    ['nobody knows whom', reasoning({ text: 'Hm' }), 'foreign-reasoning'],
    ['a reply that was cut off', partialKey.set(reasoning({ text: 'Hm' }), true), 'partial-reasoning'],
  ])('of %s is never sent', (_name, block, repair) => {
    const { input: sent, repairs } = project([hi, block, assistantText('Done.')])
    expect(sent).toEqual([hiItem, { role: 'assistant', content: [{ type: 'output_text', text: 'Done.' }] }])
    expect(repairs).toEqual([[repair, 1]])
  })

  test('of older turns is read from the payload, and ids from nowhere else', () => {
    const turn = [
      hi,
      {
        ...reasoning({ item_id: 'rs_1', encrypted_content: 'sealed', summary: [{ type: 'summary_text', text: 'Hm' }] }),
        id: 'block-1',
      },
      {
        kind: 'tool_call' as const,
        id: 'block-2',
        payload: { id: 'call_a', name: 'f', args: { a: 1 }, item_id: 'fc_1' },
      },
      toolResult('call_a', 'A'),
      { ...reasoning({ item_id: 'rs_2', encrypted_content: 'sealed too' }), id: 'block-3' },
      { kind: 'llm_text' as const, id: 'block-4', payload: { text: 'Done.', item_id: 'msg_1' } },
      { kind: 'llm_text' as const, id: 'msg_block', payload: { text: 'More.' } },
    ]
    expect(project(turn).repairs).toEqual([])
    expect(input(turn)).toEqual([
      hiItem,
      { id: 'rs_1', type: 'reasoning', encrypted_content: 'sealed', summary: [{ type: 'summary_text', text: 'Hm' }] },
      { id: 'fc_1', type: 'function_call', call_id: 'call_a', name: 'f', arguments: '{"a":1}' },
      { type: 'function_call_output', call_id: 'call_a', output: 'A' },
      { id: 'rs_2', type: 'reasoning', encrypted_content: 'sealed too', summary: [] },
      {
        id: 'msg_1',
        type: 'message',
        status: 'completed',
        content: [{ type: 'output_text', annotations: [], text: 'Done.' }],
        role: 'assistant',
      },
      { role: 'assistant', content: [{ type: 'output_text', text: 'More.' }] },
    ])
  })
})
