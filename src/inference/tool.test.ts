import { expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { jsonSchemaInput, defineTool, toolParameters, type Tool } from './tool.ts'

const city = {
  name: 'weather',
  description: 'The weather.',
  input: z.object({ city: z.string() }),
  execute: () => null,
}

test('a tool is given its input as its schema types it', () => {
  const tool = defineTool({
    name: 'weather',
    description: 'The weather.',
    input: z.object({ city: z.string(), days: z.number().default(1) }),
    execute(input) {
      expectTypeOf(input).toEqualTypeOf<{ city: string; days: number }>()
      return input.city
    },
  })
  const anyTools: readonly Tool[] = [tool]
  expect(anyTools[0]).toBe(tool)
})

test.each(['', 'with space', 'ünïcode', 'dotted.name', 'x'.repeat(65)])('a tool cannot be named %j', (name) => {
  expect(() => defineTool({ ...city, name })).toThrow(expect.objectContaining({ code: 'TOOL_INVALID' }))
})

test.each(['a', 'get_weather-2', 'X'.repeat(64)])('a tool can be named %j', (name) => {
  expect(defineTool({ ...city, name }).name).toBe(name)
})

test.each([
  ['no description', { ...city, description: ' ' }, /needs a description/],
  ['a text as input', { ...city, input: z.string() }, /an object at its root/],
  [
    'a union at the root',
    { ...city, input: z.union([z.object({ a: z.string() }), z.object({})]) },
    /an object at its root/,
  ],
  ['an input that JSON cannot say', { ...city, input: z.object({ at: z.date() }) }, /cannot be described/],
  ['a plain schema of a list', { ...city, input: jsonSchemaInput({ type: 'array' }) }, /an object at its root/],
] satisfies readonly (readonly [string, Tool, RegExp])[])('a tool with %s is refused', (_what, tool, problem) => {
  expect(() => defineTool<unknown>(tool)).toThrow(
    expect.objectContaining({ code: 'TOOL_INVALID', message: expect.stringMatching(problem) }),
  )
})

test.each([
  [
    'optional and default values',
    z.object({ city: z.string().describe('Where'), days: z.number().default(1), unit: z.enum(['C', 'F']).optional() }),
    '{"properties":{"city":{"description":"Where","type":"string"},"days":{"default":1,"type":"number"},"unit":{"enum":["C","F"],"type":"string"}},"required":["city"],"type":"object"}',
  ],
  [
    'a closed object',
    z.strictObject({ z: z.string(), a: z.string() }),
    '{"additionalProperties":false,"properties":{"z":{"type":"string"},"a":{"type":"string"}},"required":["z","a"],"type":"object"}',
  ],
  [
    'a property named as a keyword',
    jsonSchemaInput({
      type: 'object',
      $schema: 'https://example.com',
      properties: { properties: { type: 'object', description: 'b' } },
    }),
    '{"properties":{"properties":{"description":"b","type":"object"}},"type":"object"}',
  ],
])('the parameters of %s are told in a stable order, without $schema', (_what, input, expected) => {
  expect(JSON.stringify(toolParameters({ ...city, input }))).toBe(expected)
})

test.each([
  [{ a: 1 }, true],
  [[1], false],
  ['text', false],
  [null, false],
])('an input known by its JSON Schema alone takes %j: %s', async (value, isTaken) => {
  const result = await jsonSchemaInput({ type: 'object' })['~standard'].validate(value)
  expect(result.issues === undefined).toBe(isTaken)
})
