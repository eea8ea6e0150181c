import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import * as wire from '../../../test/support/anthropic-replies.ts'
import * as some from '../../../test/support/arbitraries.ts'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import { validateAnthropicRequest } from '../../../test/support/validate-anthropic.ts'
import { deepFreeze } from '../../../test/support/values.ts'
import type { Engine, ToolSpec } from '../../inference/engine.ts'
import { callSettings, type InferenceSettings } from '../../inference/settings.ts'
import { isJsonObject, type Json, type JsonObject } from '../../json.ts'
import {
  assistantText,
  otherBlock,
  reasoning,
  systemText,
  toolCall,
  toolError,
  toolResult,
  userText,
  type Block,
  type ImagePart,
} from '../../turns/block.ts'
import {
  anthropicServerToolsKey,
  blockResultKey,
  claudeInferenceConfigKey,
  claudeOriginalContentKey,
  inferenceConfigKey,
  partialKey,
  sidecarKey,
  structuredOutputKey,
  thoughtSignatureKey,
  toolConfigKey,
} from '../../turns/keys.ts'
import { append, createTurn, type Turn } from '../../turns/turn.ts'
import { anthropic } from './protocol.ts'
import { toRequest } from './request.ts'

const weather: ToolSpec = { name: 'weather', description: 'The weather in a city.', input: z.object({ city: z.string() }) }

function project(turn: Turn, settings: Partial<InferenceSettings> = {}, tools: readonly ToolSpec[] = []) {
  return toRequest(turn, callSettings(turn, { model: 'claude-test', promptCache: 'none', ...settings }), tools)
}
/** The messages without their dress: `[role, content blocks]`. */
function messagesOf(body: JsonObject): readonly (readonly [Json | undefined, Json | undefined])[] {
  const messages = body['messages'] as readonly JsonObject[] // toRequest writes a list of messages
  return messages.map(({ role, content }) => [role, content])
}
const of = (...blocks: readonly Block[]) => project(createTurn(blocks))

const text = (value: string): JsonObject => ({ type: 'text', text: value })
const use = (id: string, input: JsonObject = {}, name = 'weather'): JsonObject => ({ type: 'tool_use', id, name, input })
const answer = (id: string, content: string): JsonObject => ({ type: 'tool_result', tool_use_id: id, content })
const failed = (id: string, content: string): JsonObject => ({ type: 'tool_result', tool_use_id: id, content, is_error: true })
const interrupted = (id: string) => failed(id, 'interrupted: no result was recorded')
const goOn = text('Continue.')

const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' }
const redacted = { type: 'redacted_thinking', data: 'ZGF0YQ==' }
const sealed = <B extends Block>(block: B, item: JsonObject, provider = 'anthropic') => sidecarKey.set(block, { provider, item })
const thought = sealed(reasoning({ text: 'Hm.', signature: 'c2ln' }), thinking)
const item = (fields: JsonObject, provider = 'anthropic') => otherBlock('provider_item', { provider, item: fields })
const search = { type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: { query: 'x' } }
const found = { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [] }
const paused = <B extends Block>(block: B) => blockResultKey.set(block, { finish_class: 'unknown', provider: 'anthropic', stop_reason: 'pause_turn' })

describe('a turn as messages', () => {
  test.each<[string, readonly Block[], readonly (readonly [string, readonly JsonObject[]])[]]>([
    ['a prompt', [userText('Hi')], [['user', [text('Hi')]]]],
    ['an exchange', [userText('Hi'), assistantText('Hello.'), userText('Bye')], [['user', [text('Hi')]], ['assistant', [text('Hello.')]], ['user', [text('Bye')]]]],
    ['neighbours of one role are one message', [userText('A'), userText('B'), assistantText('C'), assistantText('D'), userText('E')], [['user', [text('A'), text('B')]], ['assistant', [text('C'), text('D')]], ['user', [text('E')]]]],
    ['system text behind the beginning is user text', [userText('A'), systemText('Be brief.'), assistantText('C'), userText('D')], [['user', [text('A'), text('Be brief.')]], ['assistant', [text('C')]], ['user', [text('D')]]]],
    [
      'two calls in one reply are answered in one message, in the order of the calls',
      [userText('Hi'), toolCall('a', 'weather', { city: 'A' }), toolCall('b', 'weather', { city: 'B' }), toolResult('b', 'rain'), toolResult('a', { sun: true })],
      [['user', [text('Hi')]], ['assistant', [use('a', { city: 'A' }), use('b', { city: 'B' })]], ['user', [answer('a', '{"sun":true}'), answer('b', 'rain')]]],
    ],
    [
      'one call after the other are two messages',
      [userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', 1), toolCall('b', 'weather', {}), toolResult('b', 2)],
      [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [answer('a', '1')]], ['assistant', [use('b')]], ['user', [answer('b', '2')]]],
    ],
    [
      'an error says so, with what there is beside it',
      [userText('Hi'), toolCall('a', 'weather', {}), toolCall('b', 'weather', {}), toolError('a', 'no such city'), toolError('b', 'timeout', '{"partial":1}')],
      [['user', [text('Hi')]], ['assistant', [use('a'), use('b')]], ['user', [failed('a', '{"error":"no such city"}'), failed('b', '{"error":"timeout","result":{"partial":1}}')]]],
    ],
    ['an empty result has no content', [userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', '')], [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [{ type: 'tool_result', tool_use_id: 'a' }]]]],
    ['sealed thinking goes back as it came', [userText('Hi'), thought, sealed(reasoning({ encrypted_content: 'ZGF0YQ==' }), redacted), assistantText('Yes.'), userText('And?')], [['user', [text('Hi')]], ['assistant', [thinking, redacted, text('Yes.')]], ['user', [text('And?')]]]],
    ['thinking that was not shown goes back for its seal', [userText('Hi'), sealed(reasoning({ signature: 'c2ln' }), { type: 'thinking', thinking: '', signature: 'c2ln' }), assistantText('Yes.'), userText('And?')], [['user', [text('Hi')]], ['assistant', [{ type: 'thinking', thinking: '', signature: 'c2ln' }, text('Yes.')]], ['user', [text('And?')]]]],
    ['the signature of an older turn is a seal', [userText('Hi'), reasoning({ text: 'Hm.', signature: 'c2ln' }), assistantText('Yes.'), userText('And?')], [['user', [text('Hi')]], ['assistant', [thinking, text('Yes.')]], ['user', [text('And?')]]]],
    ['cited text goes back with its citations', [userText('Hi'), sealed(assistantText('Yes.'), { citations: [{ type: 'x' }], type: 'text', text: 'Yes.' }), userText('And?')], [['user', [text('Hi')]], ['assistant', [{ citations: [{ type: 'x' }], type: 'text', text: 'Yes.' }]], ['user', [text('And?')]]]],
    [
      'a call keeps what the provider sealed into it, and its family goes on its result',
      [userText('Hi'), sealed(toolCall('a', 'left_click', { x: 1 }), { type: 'tool_use', id: 'a', name: 'left_click', input: { x: 1 }, toolset_name: 'computer' }), toolResult('a', 'ok')],
      [['user', [text('Hi')]], ['assistant', [{ type: 'tool_use', id: 'a', name: 'left_click', input: { x: 1 }, toolset_name: 'computer' }]], ['user', [{ ...answer('a', 'ok'), toolset_name: 'computer' }]]],
    ],
    ['server tools go back in their place', [userText('Hi'), assistantText('Let me look.'), item(search), item(found), assistantText('Found.'), userText('And?')], [['user', [text('Hi')]], ['assistant', [text('Let me look.'), search, found, text('Found.')]], ['user', [text('And?')]]]],
    ['items of kinds that are not known go back', [userText('Hi'), item({ type: 'hologram', shape: 'cube' }), assistantText('Yes.'), userText('And?')], [['user', [text('Hi')]], ['assistant', [{ type: 'hologram', shape: 'cube' }, text('Yes.')]], ['user', [text('And?')]]]],
    ['a paused reply is sent as it is', [userText('Hi'), thought, assistantText('Let me look.'), paused(item(search))], [['user', [text('Hi')]], ['assistant', [thinking, text('Let me look.'), search]]]],
    [
      'a server tool waits beside calls of ours while they are answered',
      [userText('Hi'), item(search), toolCall('a', 'weather', {}), toolResult('a', 1)],
      [['user', [text('Hi')]], ['assistant', [search, use('a')]], ['user', [answer('a', '1')]]],
    ],
    [
      'and its result comes in the next reply',
      [userText('Hi'), item(search), toolCall('a', 'weather', {}), toolResult('a', 1), item(found), assistantText('Found.'), userText('And?')],
      [['user', [text('Hi')]], ['assistant', [search, use('a')]], ['user', [answer('a', '1')]], ['assistant', [found, text('Found.')]], ['user', [text('And?')]]],
    ],
    [
      'content of older versions takes the place of the block that it is kept beside',
      [userText('Hi'), claudeOriginalContentKey.set(assistantText('Yes.'), [thinking, { ...text('Yes, indeed.'), cache_control: { type: 'ephemeral' } }, use('a'), 7]), toolCall('a', 'weather', {}), toolResult('a', 1)],
      [['user', [text('Hi')]], ['assistant', [thinking, text('Yes, indeed.'), use('a')]], ['user', [answer('a', '1')]]],
    ],
    ['content that cannot be read does not', [userText('Hi'), claudeOriginalContentKey.set(assistantText('Yes.'), [{ type: 'text' }, 'x']), userText('And?')], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
  ])('%s', (_name, blocks, expected) => {
    const { body, repairs } = of(...blocks)
    expect(messagesOf(body)).toEqual(expected)
    expect(repairs).toEqual(blocks.some(({ kind }) => kind === 'tool_call') ? [expect.objectContaining({ repair: 'undeclared-tools' })] : [])
    expect(validateAnthropicRequest(body)).toEqual([])
  })

  test.each<[string, ImagePart, JsonObject]>([
    ['a link', { url: 'https://a.example/a.png' }, { type: 'image', source: { type: 'url', url: 'https://a.example/a.png' } }],
    ['bytes', { content: 'aGk=', media_type: 'image/png' }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGk=' } }],
    ['bytes of a type with another name', { content: 'aGk=', media_type: 'image/jpg' }, { type: 'image', source: { type: 'base64', media_type: 'image/jpeg', data: 'aGk=' } }],
    ['a data URL', { url: 'data:image/webp;base64,aGk=' }, { type: 'image', source: { type: 'base64', media_type: 'image/webp', data: 'aGk=' } }],
    ['a document', { content: 'aGk=', media_type: 'application/pdf' }, { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'aGk=' } }],
    ['a file that the provider holds', { file_id: 'file_1' }, { type: 'image', source: { type: 'file', file_id: 'file_1' } }],
  ])('%s is an image behind the text', (_name, image, expected) => {
    const { body, headers } = of(userText('Look', [image]))
    expect(messagesOf(body)).toEqual([['user', [text('Look'), expected]]])
    expect(messagesOf(of(userText('', [image])).body)).toEqual([['user', [expected]]])
    expect(headers?.['anthropic-beta']).toBe('file_id' in image ? 'files-api-2025-04-14' : undefined)
  })

  test('system text at the beginning is the system prompt, block by block', () => {
    const { body } = of(systemText('Be brief.'), systemText('Be kind.'), systemText(' '), userText('Hi'))
    expect(body['system']).toEqual([text('Be brief.'), text('Be kind.')])
    expect(messagesOf(body)).toEqual([['user', [text('Hi')]]])
  })
})

describe('what the provider would refuse is put right, and told', () => {
  test.each<[string, readonly Block[], readonly (readonly [repair: string, block: number])[], readonly (readonly [string, readonly JsonObject[]])[]]>([
    ['a call without a result', [userText('Hi'), toolCall('a', 'weather', {}), userText('Never mind')], [['orphan-tool-call', 1]], [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [interrupted('a'), text('Never mind')]]]],
    ['a call at the end', [userText('Hi'), toolCall('a', 'weather', {})], [['orphan-tool-call', 1]], [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [interrupted('a')]]]],
    ['a result without a call', [userText('Hi'), toolResult('a', 1), assistantText('Yes.'), userText('And?')], [['orphan-tool-result', 1]], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['a second result', [userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', 1), toolResult('a', 2)], [['orphan-tool-result', 3]], [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [answer('a', '1')]]]],
    ['a result that came late', [userText('Hi'), toolCall('a', 'weather', {}), userText('Well?'), toolResult('a', 1)], [['moved-tool-result', 3]], [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [answer('a', '1'), text('Well?')]]]],
    [
      'a result behind the answer to another call',
      [userText('Hi'), toolCall('a', 'weather', {}), toolCall('b', 'weather', {}), toolResult('a', 1), assistantText('One is there.'), toolResult('b', 2), userText('And?')],
      [['moved-tool-result', 5]],
      [['user', [text('Hi')]], ['assistant', [use('a'), use('b')]], ['user', [answer('a', '1'), answer('b', '2')]], ['assistant', [text('One is there.')]], ['user', [text('And?')]]],
    ],
    [
      'an id that is used again',
      [userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', 1), toolCall('a', 'weather', {}), toolResult('a', 2)],
      [['renamed-tool-call', 3]],
      [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [answer('a', '1')]], ['assistant', [use('a-2')]], ['user', [answer('a-2', '2')]]],
    ],
    [
      'an id that is used again after a call that was never answered',
      [userText('Hi'), toolCall('a', 'weather', {}), userText('Again'), toolCall('a', 'weather', {}), toolResult('a', 2)],
      [['orphan-tool-call', 1], ['renamed-tool-call', 3]],
      [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [interrupted('a'), text('Again')]], ['assistant', [use('a-2')]], ['user', [answer('a-2', '2')]]],
    ],
    ['an id and a name of another provider', [userText('Hi'), toolCall('call:1', 'get weather!', {}), toolResult('call:1', 1)], [['renamed-tool-call', 1], ['renamed-tool', 1]], [['user', [text('Hi')]], ['assistant', [use('call_1', {}, 'get_weather_')]], ['user', [answer('call_1', '1')]]]],
    ['arguments that are no object', [userText('Hi'), toolCall('a', 'weather', '{"city":'), toolError('a', 'bad arguments')], [['invalid-arguments', 1]], [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [failed('a', '{"error":"bad arguments"}')]]]],
    ['text that says nothing', [userText('Hi'), assistantText(' \n'), userText('')], [['empty-block', 1], ['empty-block', 2]], [['user', [text('Hi')]]]],
    ['reasoning of another provider', [userText('Hi'), sealed(reasoning({ text: 'Secret.', encrypted_content: 'x' }), { type: 'reasoning' }, 'openai-responses'), assistantText('Yes.'), userText('And?')], [['foreign-reasoning', 1]], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['reasoning of another provider in an older turn', [userText('Hi'), reasoning({ text: 'Secret.', item_id: 'rs_1' }), assistantText('Yes.'), userText('And?')], [['foreign-reasoning', 1]], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['a thought that Gemini signed', [userText('Hi'), thoughtSignatureKey.set(reasoning({ text: 'Secret.', signature: 's' }), 's'), assistantText('Yes.'), userText('And?')], [['foreign-reasoning', 1]], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['a signature of whoever else made the block', [userText('Hi'), blockResultKey.set(reasoning({ text: 'Secret.', signature: 's' }), { finish_class: 'completed', provider: 'gemini' }), assistantText('Yes.'), userText('And?')], [['foreign-reasoning', 1]], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['reasoning without a seal', [userText('Hi'), reasoning({ text: 'Hm.' }), assistantText('Yes.'), userText('And?')], [['unsigned-reasoning', 1]], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['reasoning that was cut off', [userText('Hi'), partialKey.set(reasoning({ text: 'Hm', signature: 'x' }), true), userText('And?')], [['partial-reasoning', 1]], [['user', [text('Hi'), text('And?')]]]],
    ['reasoning with no answer behind it', [userText('Hi'), thought, userText('And?')], [['trailing-reasoning', 1]], [['user', [text('Hi'), text('And?')]]]],
    ['reasoning that was edited', [userText('Hi'), sealed(reasoning({ text: 'Hm!', signature: 'c2ln' }), thinking), assistantText('Yes.'), userText('And?')], [['edited-block', 1]], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['cited text that was edited', [userText('Hi'), sealed(assistantText('No.'), { citations: [{}], type: 'text', text: 'Yes.' }), userText('And?')], [['edited-block', 1]], [['user', [text('Hi')]], ['assistant', [text('No.')]], ['user', [text('And?')]]]],
    ['a call that was edited', [userText('Hi'), sealed(toolCall('a', 'weather', { city: 'B' }), { ...use('a', { city: 'A' }), caller: { type: 'direct' } }), toolResult('a', 1)], [['edited-block', 1]], [['user', [text('Hi')]], ['assistant', [use('a', { city: 'B' })]], ['user', [answer('a', '1')]]]],
    ['an item of another provider', [userText('Hi'), item({ type: 'web_search_call', id: 'ws_1' }, 'openai-responses'), assistantText('Yes.'), userText('And?')], [['foreign-item', 1]], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['a block of a kind that is not known', [userText('Hi'), otherBlock('widget', {}), assistantText('Yes.'), userText('And?')], [['unknown-block', 1]], [['user', [text('Hi')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['a server tool that was cut off', [userText('Hi'), assistantText('Let me look.'), item(search), userText('And?')], [['orphan-server-tool', 2]], [['user', [text('Hi')]], ['assistant', [text('Let me look.')]], ['user', [text('And?')]]]],
    ['a server tool that was cut off at the end, in a reply that did not pause', [userText('Hi'), assistantText('Let me look.'), item(search)], [['orphan-server-tool', 2], ['missing-user-message', 1]], [['user', [text('Hi')]], ['assistant', [text('Let me look.')]], ['user', [goOn]]]],
    ['a server result without its call', [userText('Hi'), item(found), assistantText('Found.'), userText('And?')], [['orphan-server-tool', 1]], [['user', [text('Hi')]], ['assistant', [text('Found.')]], ['user', [text('And?')]]]],
    [
      'a program that is gone: its call counts as the model\'s own',
      [userText('Hi'), item({ ...search, name: 'code_execution' }), sealed(toolCall('a', 'weather', {}), { ...use('a'), caller: { type: 'code_execution_20260120', tool_id: 'srv_1' } }), toolResult('a', 1), userText('Stop')],
      [['orphan-server-tool', 1], ['orphan-server-tool', 2]],
      [['user', [text('Hi')]], ['assistant', [use('a')]], ['user', [answer('a', '1'), text('Stop')]]],
    ],
    ['a conversation that ends with the assistant', [userText('Hi'), assistantText('Hello.')], [['missing-user-message', 1]], [['user', [text('Hi')]], ['assistant', [text('Hello.')]], ['user', [goOn]]]],
    ['a conversation that begins with the assistant', [assistantText('Hello.'), userText('Hi')], [['missing-user-message', 0]], [['user', [goOn]], ['assistant', [text('Hello.')]], ['user', [text('Hi')]]]],
    ['a turn with nothing to say', [systemText('Be brief.')], [['missing-user-message', 0]], [['user', [goOn]]]],
    ['white space at the end of a paused reply', [userText('Hi'), paused(assistantText('Let me look. '))], [['trailing-space', 1]], [['user', [text('Hi')]], ['assistant', [text('Let me look.')]]]],
    ['half of a surrogate pair', [userText('a\ud800'), sealed(reasoning({ text: '\udc00', signature: 's' }), { type: 'thinking', thinking: '\udc00', signature: 's' }), assistantText('Yes.'), userText('And?')], [['lone-surrogate', 0], ['lone-surrogate', 1]], [['user', [text('a\ufffd')]], ['assistant', [text('Yes.')]], ['user', [text('And?')]]]],
    ['images that cannot be sent', [userText('Hi', [{ file_uri: 'gs://a', media_type: 'image/png' }, { content: 'x', media_type: 'image/bmp' }, { url: 'data:text' }])], [['foreign-image', 0], ['unsupported-image', 0], ['invalid-image', 0]], [['user', [text('Hi')]]]],
  ])('%s', (_name, blocks, expected, messages) => {
    const { body, repairs } = of(...blocks)
    expect(repairs.filter(({ repair }) => repair !== 'undeclared-tools').map(({ repair, block }) => [repair, block])).toEqual(expected)
    expect(messagesOf(body)).toEqual(messages)
    expect(validateAnthropicRequest(body)).toEqual([])
    expect(JSON.stringify(body)).not.toContain('Secret.')
  })

  test('calls of tools that are not offered now are named, and cannot be called', () => {
    const { body, repairs } = of(userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', 1), userText('Thanks'))
    expect(body['tools']).toEqual([{ name: 'weather', description: 'No longer available.', input_schema: { type: 'object' } }])
    expect(body['tool_choice']).toEqual({ type: 'none' })
    expect(repairs).toMatchObject([{ repair: 'undeclared-tools', block: 1 }])
    expect(of(userText('Hi')).body).not.toHaveProperty('tools')
  })

  test('a tool loop that began without thinking goes on without it', () => {
    const settings = { inference: { thinking_budget: 2000 } }
    const loop = createTurn([userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', 1)])
    const { body, repairs } = project(loop, settings, [weather])
    expect(body).not.toHaveProperty('thinking')
    expect(repairs).toMatchObject([{ repair: 'thinking-paused', block: 1 }])
    expect(project(append(loop, assistantText('Sunny.'), userText('And?')), settings, [weather]).body).toHaveProperty('thinking')
    expect(project(createTurn([userText('Hi'), thought, ...loop.blocks.slice(1)]), settings, [weather]).body).toHaveProperty('thinking')
    expect(project(loop, { inference: { thinking_type: 'adaptive' } }, [weather]).body).toHaveProperty('thinking')
  })
})

describe('settings', () => {
  const turn = createTurn([userText('Hi')])
  test.each<[string, Partial<InferenceSettings>, JsonObject, readonly string[]]>([
    ['the default limit', {}, { max_tokens: 4096 }, ['thinking', 'temperature', 'top_p', 'top_k', 'stop_sequences', 'metadata', 'output_config', 'tools', 'tool_choice', 'system', 'container']],
    ['a limit of one\'s own', { inference: { max_response_tokens: 100 } }, { max_tokens: 100 }, []],
    ['a thinking budget', { inference: { thinking_budget: 2000, max_response_tokens: 8000 } }, { thinking: { type: 'enabled', budget_tokens: 2000 }, max_tokens: 8000 }, []],
    ['a budget as large as the limit leaves the answer its room', { inference: { thinking_budget: 8000, max_response_tokens: 1000 } }, { thinking: { type: 'enabled', budget_tokens: 8000 }, max_tokens: 9000 }, []],
    ['a budget that is too small is the least there is', { inference: { thinking_budget: 10 } }, { thinking: { type: 'enabled', budget_tokens: 1024 } }, []],
    ['no budget', { inference: { thinking_budget: 0 } }, {}, ['thinking']],
    ['adaptive thinking', { inference: { thinking_type: 'adaptive', thinking_budget: 2000, reasoning_effort: 'high' } }, { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } }, []],
    ['thinking that is turned off', { inference: { thinking_type: 'disabled', temperature: 0 } }, { thinking: { type: 'disabled' }, temperature: 0 }, []],
    ['a summary of the thinking', { inference: { thinking_type: 'adaptive', reasoning_summary: 'auto' } }, { thinking: { type: 'adaptive', display: 'summarized' } }, []],
    ['no summary of the thinking', { inference: { thinking_budget: 2000, reasoning_summary: 'none' } }, { thinking: { type: 'enabled', budget_tokens: 2000, display: 'omitted' } }, []],
    ['sampling', { inference: { temperature: 0 }, claude: { top_k: 5 } }, { temperature: 0, top_k: 5 }, ['top_p']],
    ['top_p beside the default temperature', { inference: { temperature: 1, top_p: 0.5 } }, { top_p: 0.5 }, ['temperature']],
    ['sampling beside thinking', { inference: { thinking_budget: 2000, temperature: 0.5, top_p: 0.5 }, claude: { top_k: 5 } }, {}, ['temperature', 'top_p', 'top_k']],
    ['stop sequences, but for those that say nothing', { inference: { stop: ['END', ' '] } }, { stop_sequences: ['END'] }, []],
    ['a user', { claude: { user_id: 'u1' } }, { metadata: { user_id: 'u1' } }, []],
    ['an effort of another provider', { inference: { reasoning_effort: 'minimal' } }, { output_config: { effort: 'low' } }, []],
    ['no effort', { inference: { reasoning_effort: 'none' } }, {}, ['output_config']],
    ['an answer in JSON', { structuredOutput: { mode: 'json_schema', name: 'city', schema: { type: 'object' } } }, { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } }, []],
  ])('%s', (_name, settings, present, absent) => {
    const { body } = project(turn, settings)
    expect(body).toMatchObject(present)
    for (const name of absent) expect(body).not.toHaveProperty(name)
    expect(validateAnthropicRequest(body)).toEqual([])
  })

  test('of the turn beat those of the engine', () => {
    const own = claudeInferenceConfigKey.set(
      structuredOutputKey.set(inferenceConfigKey.set(turn, { temperature: 0.2, stop: [], max_response_tokens: 7 }), { mode: 'json_schema', name: 'a', schema: { type: 'object', title: 'turn' } }),
      { top_k: 3 },
    )
    const { body } = project(own, { inference: { temperature: 0.9, stop: ['X'] }, claude: { top_k: 1, user_id: 'u' }, structuredOutput: { mode: 'json_schema', name: 'b', schema: { type: 'array' } } })
    expect(body).toMatchObject({ temperature: 0.2, max_tokens: 7, top_k: 3, metadata: { user_id: 'u' }, output_config: { format: { schema: { title: 'turn' } } } })
    expect(body).not.toHaveProperty('stop_sequences')
  })

  test('temperature and top_p together are an error that says so', () => {
    expect(() => project(turn, { inference: { temperature: 0.5, top_p: 0.5 } })).toThrow(expect.objectContaining({ code: 'SETTINGS_INVALID', message: expect.stringContaining('only one') as unknown }))
  })

  test('what is left out is told', () => {
    const forced = toolConfigKey.set(turn, { enabled: true, tool_choice: 'required' })
    expect(project(forced, { inference: { thinking_budget: 2000, temperature: 0.5, seed: 1 } }, [weather]).warnings).toEqual([
      'temperature left out: Anthropic takes no sampling settings while the model thinks',
      'tool_choice "required" is sent as "auto": a model that thinks cannot be forced to call a tool',
      'seed left out: Anthropic has none',
    ])
    expect(project(turn, { inference: { temperature: 0.5 } }).warnings).toEqual([])
  })
})

describe('tools', () => {
  const turn = createTurn([userText('Hi')])
  test('are offered with their schema, behind those of the provider', () => {
    const search = { type: 'web_search_20250305', name: 'web_search', max_uses: 2 }
    const { body, headers } = project(anthropicServerToolsKey.set(turn, [search, { type: 'mcp_toolset', mcp_server_name: 's' }]), {}, [weather])
    expect(body['tools']).toEqual([
      search,
      { type: 'mcp_toolset', mcp_server_name: 's' },
      { name: 'weather', description: 'The weather in a city.', input_schema: { properties: { city: { type: 'string' } }, required: ['city'], type: 'object' } },
    ])
    expect(headers?.['anthropic-beta']).toBe('mcp-client-2025-11-20')
  })

  test.each<[Parameters<typeof toolConfigKey.set>[1], Json | undefined]>([
    [{ enabled: true }, undefined],
    [{ enabled: true, tool_choice: 'auto' }, { type: 'auto' }],
    [{ enabled: true, tool_choice: 'none' }, { type: 'none' }],
    [{ enabled: true, tool_choice: 'required' }, { type: 'any' }],
    [{ enabled: true, max_parallel_tools: 1 }, { type: 'auto', disable_parallel_tool_use: true }],
    [{ enabled: true, tool_choice: 'required', max_parallel_tools: 1 }, { type: 'any', disable_parallel_tool_use: true }],
    [{ enabled: true, max_parallel_tools: 4 }, undefined],
  ])('%j is the choice %j', (config, choice) => {
    const configured = toolConfigKey.set(turn, config)
    expect(project(configured, {}, [weather]).body['tool_choice']).toEqual(choice)
    expect(project(configured).body).not.toHaveProperty('tool_choice')
    const thinking = project(configured, { inference: { thinking_budget: 2000 } }, [weather]).body
    expect(validateAnthropicRequest(thinking)).toEqual([])
  })
})

describe('the prompt cache', () => {
  const mark = { type: 'ephemeral' }
  const turn = createTurn([systemText('Be brief.'), userText('One'), assistantText('1'), userText('Two'), assistantText('2'), userText('Three')])
  const marked = (body: JsonObject) => JSON.stringify(body).split('"cache_control"').length - 1

  test('keeps tools, system and the last two user messages', () => {
    const { body } = project(turn, { promptCache: 'short' }, [weather])
    expect(body['tools']).toMatchObject([{ name: 'weather', cache_control: mark }])
    expect(body['system']).toEqual([{ ...text('Be brief.'), cache_control: mark }])
    expect(messagesOf(body).map(([, content]) => content)).toEqual([[text('One')], [text('1')], [{ ...text('Two'), cache_control: mark }], [text('2')], [{ ...text('Three'), cache_control: mark }]])
  })

  test.each([
    ['none', 0, 0],
    ['short', 4, 0],
    ['long', 4, 4],
  ] as const)('%s makes %i marks, %i of them for an hour', (promptCache, marks, long) => {
    const { body } = project(turn, { promptCache }, [weather])
    expect([marked(body), JSON.stringify(body).split('"ttl":"1h"').length - 1]).toEqual([marks, long])
  })

  test('marks neither an empty result nor what stands in for a message', () => {
    const { body } = project(createTurn([userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', ''), assistantText('Well.')]), { promptCache: 'short' }, [weather])
    expect(messagesOf(body)).toEqual([
      ['user', [{ ...text('Hi'), cache_control: mark }]],
      ['assistant', [use('a')]],
      ['user', [{ type: 'tool_result', tool_use_id: 'a' }]],
      ['assistant', [text('Well.')]],
      ['user', [goOn]],
    ])
  })

  test('leaves room for the marks that the caller\'s tools bring, and no longer life behind a shorter one', () => {
    const own = [1, 2].map((at) => ({ type: 'web_search_20250305', name: `search_${at}`, cache_control: mark }))
    const { body } = project(anthropicServerToolsKey.set(turn, own), { promptCache: 'long' }, [weather])
    expect(marked(body)).toBe(4)
    expect(validateAnthropicRequest(body)).toEqual([])
  })
})

/** A request without its marks: what the cache compares. */
function compared(body: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(body, (key, value: unknown) => (key === 'cache_control' ? undefined : value))) as JsonObject // the body again
}

/** The requests of a session: two prompts, thinking, parallel calls, a search, a pause. */
async function sessionRequests(): Promise<{ readonly turn: Turn; readonly bodies: readonly JsonObject[] }> {
  const citation = { type: 'web_search_result_location', url: 'https://a.example/', cited_text: 'x' }
  const { fetch, sent } = replying(
    ...[
      wire.reply([wire.thinkingBlock(0, 'Two at once.', 's1'), wire.textBlock(1, 'Let me see.'), wire.toolBlock(2, 'a', 'weather', '{"city":"A"}'), wire.toolBlock(3, 'b', 'weather', '{"city":"B"}')], 'tool_use'),
      wire.reply([wire.thinkingBlock(0, 'More.', 's2'), wire.serverCall(1, 'srv_1', 'web_search', '{"query":"x"}')], 'pause_turn'),
      wire.reply([wire.wholeBlock(0, found), wire.wholeBlock(1, { type: 'text', text: '' }, { type: 'citations_delta', citation }, { type: 'text_delta', text: 'Rain.' }), wire.textBlock(2, '\n\n'), wire.textBlock(3, 'Sun.')]),
      wire.reply([wire.wholeBlock(0, redacted), wire.textBlock(1, 'Bye.')]),
    ].map((messages) => [wire.stream(messages)] as const),
  )
  const bare = anthropic({ model: 'claude-test', fetch, inference: { thinking_budget: 2000 } })
  const engine: Engine = (turn, context) => bare(turn, { ...context, tools: [weather] })
  const first = await runToEnd(engine, createTurn([systemText('Be brief.'), userText('Weather?')]))
  const second = await runToEnd(engine, append(first.turn, toolResult('b', 'sun'), toolError('a', 'no such city')))
  const third = await runToEnd(engine, append(second.turn, userText('Thanks')))
  return { turn: third.turn, bodies: sent.map(({ body }) => JSON.parse(body) as JsonObject) } // what the engine sent
}

describe('from request to request', () => {
  test('what was sent once is sent again, byte for byte', async () => {
    const { bodies } = await sessionRequests()
    expect(bodies).toHaveLength(4)
    for (const [index, body] of bodies.entries()) {
      expect(validateAnthropicRequest(body)).toEqual([])
      const before = bodies[index - 1]
      if (before === undefined) continue
      const sent = messagesOf(compared(before))
      // A paused reply grows: the assistant message that it was is the beginning of the one that it becomes.
      const wasPaused = sent.at(-1)?.[0] === 'assistant'
      const again = messagesOf(compared(body)).slice(0, sent.length)
      expect(JSON.stringify(again.slice(0, wasPaused ? -1 : undefined))).toBe(JSON.stringify(sent.slice(0, wasPaused ? -1 : undefined)))
      if (wasPaused) expect(JSON.stringify(again.at(-1)).startsWith(JSON.stringify(sent.at(-1)).slice(0, -2))).toBe(true)
      expect([body['system'], body['tools']]).toEqual([before['system'], before['tools']])
    }
  })

  test('another provider in between changes nothing of what this one wrote before', async () => {
    const { turn } = await sessionRequests()
    const stayed = project(append(turn, userText('And?')), { inference: { thinking_budget: 2000 } }).body
    const elsewhere = [
      sealed(reasoning({ text: 'Secret.', encrypted_content: 'sealed-by-another' }), { type: 'reasoning', id: 'rs_1', encrypted_content: 'sealed-by-another' }, 'openai-responses'),
      sealed(assistantText('Hello from elsewhere.'), { type: 'message', id: 'item-of-another' }, 'openai-responses'),
      item({ type: 'web_search_call', id: 'item-of-another' }, 'openai-responses'),
    ]
    const switched = project(append(turn, userText('And?'), ...elsewhere, userText('Back')), { inference: { thinking_budget: 2000 } }).body
    const prefix = messagesOf(stayed)
    expect(JSON.stringify(messagesOf(switched).slice(0, prefix.length))).toBe(JSON.stringify(prefix))
    expect(JSON.stringify(switched)).not.toMatch(/Secret|sealed-by-another|item-of-another/)
  })

  test('every cut of a session can be sent', async () => {
    const { turn } = await sessionRequests()
    for (let length = 0; length <= turn.blocks.length; length += 1) {
      for (const inference of [{}, { thinking_budget: 2000 }]) {
        const cut = { ...turn, blocks: turn.blocks.slice(0, length) }
        expect(validateAnthropicRequest(project(cut, { inference, promptCache: 'short' }, [weather]).body)).toEqual([])
        expect(validateAnthropicRequest(project(append(cut, userText('Go on')), { inference }).body)).toEqual([])
      }
    }
  })
})

describe('any turn', () => {
  const ids = fc.constantFrom('a', 'b', 'é', '')
  const ownItem = fc.oneof(
    fc.constantFrom<JsonObject>(thinking, redacted, search, found, { ...search, input: 'cut' }, { type: 'compaction', content: 'x' }, { type: 'text', text: 'Yes.', citations: [{}] }, { ...thinking, signature: '' }),
    some.jsonObject,
  )
  const ours = fc.oneof(
    fc.tuple(ids, fc.oneof(some.jsonObject, some.text)).map(([id, args]) => toolCall(id, 'weather', args)),
    fc.tuple(ids, some.json).map(([id, result]) => toolResult(id, result)),
    fc.tuple(ids, some.text).map(([id, error]) => toolError(id, error)),
    ownItem.map((fields) => item(fields)),
    fc.tuple(fc.constantFrom(thought, reasoning({ signature: 's' }), assistantText('Yes.'), toolCall('a', 'weather', {})), ownItem, fc.constantFrom('anthropic', 'gemini')).map(([block, fields, provider]) => sealed<Block>(block, fields, provider)),
    fc.tuple(fc.constantFrom<Block>(assistantText('Yes.'), userText('Hi')), fc.oneof(some.json, fc.array(ownItem, { maxLength: 3 }))).map(([block, original]) => claudeOriginalContentKey.set(block, original)),
    fc.constantFrom<Block>(thought, assistantText('Yes. '), item(search)).map(paused),
    some.block.map((block) => partialKey.set(block, true)),
  )
  const anyTurn = fc.array(fc.oneof(some.block, ours, ours), { maxLength: 10 }).map((blocks) => createTurn(blocks))
  const anySettings = fc.record({
    promptCache: fc.constantFrom('none' as const, 'short' as const, 'long' as const),
    inference: fc.record({ thinking_budget: fc.constantFrom(0, 10, 5000), max_response_tokens: fc.constantFrom(1, 4096), temperature: fc.constantFrom(0, 1), thinking_type: fc.constantFrom('', 'adaptive', 'enabled') }),
  })
  const anyTools = fc.constantFrom<readonly ToolSpec[]>([], [weather])

  test('gives a request that the provider takes, the same each time, and is not changed by it', () => {
    fc.assert(
      fc.property(anyTurn, anySettings, anyTools, (turn, settings, tools) => {
        const { body } = project(deepFreeze(turn), settings, tools)
        expect(validateAnthropicRequest(body)).toEqual([])
        expect(JSON.stringify(project(turn, settings, tools).body)).toBe(JSON.stringify(body))
        expect(isJsonObject(JSON.parse(JSON.stringify(body)))).toBe(true)
      }),
      { numRuns: 1500 },
    )
  })

  test('that a conversation could be sent with is sent as it is: what was repaired needs no further repair', () => {
    fc.assert(
      fc.property(anyTurn, (turn) => {
        const once = project(turn)
        const again = project(createTurn(fromMessages(once.body)))
        expect(again.repairs.filter(({ repair }) => repair !== 'undeclared-tools')).toEqual([])
        // The answer that stands in for a missing one is text alone; stored as an error, it is sent as JSON.
        const standsIn = JSON.stringify('{"error":"interrupted: no result was recorded"}')
        expect(JSON.stringify(again.body['messages']).replaceAll(standsIn, '"interrupted: no result was recorded"')).toBe(JSON.stringify(once.body['messages']))
      }),
      { numRuns: 500 },
    )
  })
})

/** The turn that these messages say, with everything that the API knows of them. */
function fromMessages(body: JsonObject): readonly Block[] {
  const messages = messagesOf(body)
  const resumes = messages.at(-1)?.[0] === 'assistant'
  const blocks = messages.flatMap(([role, content]) => (content as readonly JsonObject[]).map((part) => toBlock(role, part))) // written by toRequest
  return resumes ? blocks.map((block, index) => (index === blocks.length - 1 ? paused(block) : block)) : blocks
}

function toBlock(role: Json | undefined, part: JsonObject): Block {
  const { type, text: said, id, name, input, tool_use_id: call, content, is_error: isError, signature } = part
  switch (type) {
    case 'text':
      if (role === 'assistant') return sealed(assistantText(String(said)), part)
      return Object.keys(part).length === 2 ? userText(String(said)) : claudeOriginalContentKey.set(userText(''), [part])
    case 'thinking':
      return sealed(reasoning({ text: String(part['thinking']), signature: String(signature) }), part)
    case 'redacted_thinking':
      return sealed(reasoning({ encrypted_content: String(part['data']) }), part)
    case 'tool_use':
      return sealed(toolCall(String(id), String(name), input ?? {}), part)
    case 'tool_result':
      return claudeResult(String(call), String(content ?? ''), isError === true)
    case 'image':
    case 'document':
    case 'search_result':
      return claudeOriginalContentKey.set(userText(''), [part])
    default:
      return item(part)
  }
}

function claudeResult(id: string, content: string, isError: boolean): Block {
  if (!isError) return toolResult(id, content)
  const parsed: unknown = content.startsWith('{') ? JSON.parse(content) : undefined
  return isJsonObject(parsed) && typeof parsed['error'] === 'string' ? toolError(id, parsed['error'], parsed['result']) : toolError(id, content)
}
