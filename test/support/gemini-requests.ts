import { expect } from 'vitest'
import { callSettings } from '../../src/inference/settings.ts'
import { isJsonObject, type JsonObject } from '../../src/json.ts'
import { toRequest } from '../../src/providers/gemini/request.ts'
import { otherBlock, type Block, type OtherBlock } from '../../src/turns/block.ts'
import { turnFromText, turnToYaml } from '../../src/turns/document.ts'
import { sidecarKey } from '../../src/turns/keys.ts'
import { createTurn } from '../../src/turns/turn.ts'
import { validateGeminiRequest } from './validate-gemini.ts'

// What is sent for a list of blocks, in few words.

/** The block with the parts that Gemini gave for it. */
export function own<B extends Block>(block: B, ...parts: readonly JsonObject[]): B {
  return sidecarKey.set(block, { provider: 'gemini', item: { parts } })
}

export function item(fields: JsonObject, provider = 'gemini'): OtherBlock {
  return otherBlock('provider_item', { provider, item: fields })
}

export const called = (name: string, args: JsonObject = {}) => ({ functionCall: { name, args } })
export const answered = (name: string, response: JsonObject) => ({ functionResponse: { name, response } })

/** The contents as role and parts, and the repairs; the same from memory and from a file. */
export function project(blocks: readonly Block[], model = 'gemini-2.5-flash') {
  const turn = createTurn(blocks)
  const request = toRequest(turn, callSettings(turn, { model }), [])
  const loaded = turnFromText(turnToYaml(turn))
  expect(JSON.stringify(toRequest(loaded, callSettings(loaded, { model }), []))).toBe(JSON.stringify(request))
  expect(validateGeminiRequest(request.body, { signsCalls: !model.includes('2.5') })).toEqual([])
  const list = Array.isArray(request.body['contents']) ? request.body['contents'].filter(isJsonObject) : []
  return {
    contents: list.map(({ role, parts }) => [role, ...(Array.isArray(parts) ? parts : [])]),
    repaired: request.repairs.map(({ repair, block }) => [repair, block]),
    body: request.body,
  }
}
