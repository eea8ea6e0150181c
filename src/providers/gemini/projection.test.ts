// What holds for any turn: the request keeps the rules, and what Gemini gave goes back as it came.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as some from '../../../test/support/arbitraries.ts'
import { replying, runToEnd, sse } from '../../../test/support/replies.ts'
import { validateGeminiRequest } from '../../../test/support/validate-gemini.ts'
import { callSettings } from '../../inference/settings.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import {
  assistantText,
  otherBlock,
  reasoning,
  systemText,
  toolCall,
  toolResult,
  userText,
  type Block,
} from '../../turns/block.ts'
import { partialKey, sidecarKey, thoughtKey, thoughtSignatureKey } from '../../turns/keys.ts'
import { append, blocksOf, createTurn, type Turn } from '../../turns/turn.ts'
import { list, text } from '../wire.ts'
import { wellFormed } from '../well-formed.ts'
import { gemini } from './protocol.ts'
import { toRequest } from './request.ts'

const project = (turn: Turn, model = 'gemini-3-pro') => toRequest(turn, callSettings(turn, { model }), [])

const words = fc.constantFrom('A', 'B ', '\n', '', '😀')
const signature = fc.constantFrom({}, {}, { thoughtSignature: 'c2ln' }, { thoughtSignature: 'bW9y' })
const anyPart: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.tuple(words, signature).map(([said, seal]) => ({ text: said, ...seal })),
  fc.tuple(words, signature).map(([said, seal]) => ({ text: said, thought: true, ...seal })),
  fc.tuple(fc.constantFrom('f', 'g'), some.jsonObject, signature).map(([name, args, seal]) => ({
    functionCall: { name, args },
    ...seal,
  })),
  fc.constantFrom<JsonObject>(
    { functionCall: { id: 'x', name: 'f', args: {} } },
    { executableCode: { code: '1' }, thoughtSignature: 'c2ln' },
    { inlineData: { mimeType: 'image/png', data: 'aGk=' } },
    { thoughtSignature: 'c2ln' },
    {},
  ),
)

/** Blocks as a middleware, another provider or an older version may leave them, with parts that belong to others. */
const someBlock: fc.Arbitrary<Block> = fc
  .tuple(
    fc.oneof(
      fc.constantFrom<Block>(userText('Hi'), userText(''), systemText('S'), toolResult('x', 1), toolResult('y', null)),
      words.map(assistantText),
      words.map((said) => reasoning({ text: said })),
      fc.constantFrom('x', 'y').map((id) => toolCall(id, 'f', {})),
      anyPart.map((item) => otherBlock('provider_item', { provider: 'gemini', item })),
    ),
    fc.option(fc.array(anyPart, { maxLength: 3 }), { nil: undefined }),
    fc.constantFrom(
      (block: Block) => block,
      (block: Block) => partialKey.set(block, true),
      (block: Block) => thoughtSignatureKey.set(thoughtKey.set(block, true), 'b2xk'),
    ),
  )
  .map(([block, parts, mark]) =>
    mark(parts === undefined ? block : sidecarKey.set(block, { provider: 'gemini', item: { parts } })),
  )

describe('any turn', () => {
  test('makes a request that is taken, the same each time, and no worse for any cut', () => {
    fc.assert(
      fc.property(fc.array(someBlock, { maxLength: 12 }), fc.nat(12), (blocks, cut) => {
        for (const kept of [blocks, blocks.slice(0, cut), blocks.slice(cut)]) {
          const { body } = project(createTurn(kept))
          expect(validateGeminiRequest(body)).toEqual([])
          expect(JSON.stringify(project(createTurn(kept)).body)).toBe(JSON.stringify(body))
        }
      }),
      { numRuns: 600 },
    )
  })

  test('that is projected again from what was sent needs no further repair of its form', () => {
    fc.assert(
      fc.property(fc.array(someBlock, { maxLength: 10 }), (blocks) => {
        const { body } = project(createTurn(blocks))
        const again = project(createTurn(blocksOfBody(body)))
        expect(again.body).toEqual(body)
        expect(again.repairs).toEqual([])
      }),
      { numRuns: 400 },
    )
  })
})

/** What was sent, as the blocks that say it. */
function blocksOfBody(body: JsonObject): readonly Block[] {
  const system = isJsonObject(body['systemInstruction']) ? list(body['systemInstruction'], 'parts') : []
  const open: string[] = []
  let count = 0
  const blockOf = (part: JsonObject, role: unknown): Block => {
    const sealed = <B extends Block>(block: B) => sidecarKey.set(block, { provider: 'gemini', item: { parts: [part] } })
    const { functionCall, functionResponse } = part
    if (isJsonObject(functionCall)) {
      count += 1
      open.push(`c${count}`)
      return sealed(toolCall(`c${count}`, text(functionCall, 'name') ?? '', functionCall['args'] ?? {}))
    }
    if (isJsonObject(functionResponse)) {
      const { result, error } = isJsonObject(functionResponse['response']) ? functionResponse['response'] : {}
      const id = open.shift() ?? ''
      return {
        kind: 'tool_use',
        payload: { id, ...(typeof error === 'string' ? { error } : { result: result ?? null }) },
      }
    }
    const said = text(part, 'text') ?? ''
    if (role === 'user') return userText(said)
    if (text(part, 'text') === undefined) return otherBlock('provider_item', { provider: 'gemini', item: part })
    return part['thought'] === true ? sealed(reasoning({ text: said })) : sealed(assistantText(said))
  }
  const contents = list(body, 'contents').filter(isJsonObject)
  return [
    ...system.filter(isJsonObject).map((part) => systemText(text(part, 'text') ?? '')),
    ...contents.flatMap(({ role, parts }) => {
      const said = (Array.isArray(parts) ? parts : []).filter(isJsonObject)
      const isResponse = (part: JsonObject) => 'functionResponse' in part
      return [...said.filter(isResponse), ...said.filter((part) => !isResponse(part))].map((part) =>
        blockOf(part, role),
      )
    }),
  ]
}

/** The parts of a reply as they are to go back: empty ones gone, bare neighbours of one kind joined, bare thoughts kept back. */
function partsToReturn(parts: readonly JsonObject[]): readonly JsonObject[] {
  const result: JsonObject[] = []
  const isBare = (part: JsonObject) => 'text' in part && !('thoughtSignature' in part)
  for (const part of parts.map((each) =>
    Object.keys(each).join() === 'thoughtSignature' ? { text: '', ...each } : each,
  )) {
    if (Object.keys(part).length === 0 || (isBare(part) && part['text'] === '')) continue
    const last = result.at(-1)
    const joins = last !== undefined && isBare(last) && isBare(part) && last['thought'] === part['thought']
    if (joins) result.splice(-1, 1, { ...last, text: `${text(last, 'text') ?? ''}${text(part, 'text') ?? ''}` })
    else result.push(part)
  }
  return result
}

describe('any reply', () => {
  // Half of what is random here would be texts that are white space alone, which is not sent: they say nothing.
  const parts = fc.array(anyPart, { minLength: 1, maxLength: 8 }).filter((made) => {
    return (
      made.some((part) => 'functionCall' in part) ||
      made.some((part) => part['text'] === 'A' && part['thought'] !== true)
    )
  })

  test('goes back with each signature on its own part, however it was cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(parts, fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }), async (made, sizes) => {
        const chunks: JsonObject[] = []
        const rest = [...made]
        for (const size of sizes) chunks.push({ candidates: [{ content: { parts: rest.splice(0, size) } }] })
        chunks.push({ responseId: 'r', candidates: [{ content: { parts: rest }, finishReason: 'STOP' }] })
        const stream = sse(
          chunks.map((chunk) => JSON.stringify(chunk)),
          'gemini',
        )
        const { turn, error } = await runToEnd(
          gemini({ model: 'gemini-3-pro', fetch: replying([stream]).fetch }),
          createTurn([userText('Hi')]),
        )
        expect(error).toBeUndefined()

        const results = blocksOf(turn, 'tool_call').map(({ payload }) => toolResult(payload.id, 1))
        const { body } = project(
          append(turn, ...results, ...(results.length === 0 ? [userText('And?')] : [])),
          'gemini-2.5-pro',
        )
        const model =
          list(body, 'contents')
            .filter(isJsonObject)
            .find(({ role }) => role === 'model') ?? {}
        const segmented = segmentsOf(partsToReturn(made))
        expect(list(model, 'parts')).toEqual(wellFormed(segmented))
      }),
      { numRuns: 300 },
    )
  })
})

/** Without the segments that do not go back: thoughts with no signature among them, texts that are white space alone. */
function segmentsOf(parts: readonly JsonObject[]): readonly JsonObject[] {
  const segments: JsonObject[][] = []
  for (const part of parts) {
    const last = segments.at(-1)?.[0]
    const isEmpty = part['text'] === ''
    const joins =
      last !== undefined &&
      'text' in last &&
      'text' in part &&
      (last['thought'] === true) === (part['thought'] === true)
    const follows = joins && !(segments.at(-1)?.every((each) => each['text'] === '') ?? false)
    if (follows || (isEmpty && joins)) segments.at(-1)?.push(part)
    else segments.push([part])
  }
  return segments
    .filter((segment) => {
      const isSigned = segment.some((part) => 'thoughtSignature' in part)
      if (!('text' in (segment[0] ?? {}))) return true
      if (segment[0]?.['thought'] === true) return isSigned
      return isSigned || segment.some((part) => String(part['text']).trim() !== '')
    })
    .flat()
}
