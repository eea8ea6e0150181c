import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { staticKeys, type StaticKey } from './auth-keys.ts'

const ada: StaticKey = { key: 'ada-0123456789abcdef', tenant: 'north', name: 'ada', permissions: ['read', 'write'] }
const ray: StaticKey = { key: 'ray-0123456789abcdef', tenant: 'south', name: 'ray', permissions: ['read'] }

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'geppetto-keys-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('who shows a key is whom it belongs to', async () => {
  const authenticate = staticKeys([ada, ray])
  expect(await authenticate({ bearer: ray.key })).toEqual({
    tenant: 'south',
    name: 'ray',
    permissions: new Set(['read']),
  })
})

test.each([undefined, '', 'ada', ada.key.toUpperCase(), `${ada.key} `, `${ada.key}x`, ada.key.slice(0, -1)])(
  'who shows %j is nobody',
  async (bearer) => {
    expect(await staticKeys([ada, ray])(bearer === undefined ? {} : { bearer })).toBeUndefined()
  },
)

describe('a file of keys', () => {
  test('is looked at for each request: a key that is taken out is none any longer', async () => {
    const file = join(folder, 'keys.json')
    writeFileSync(file, JSON.stringify([ada, ray]))
    const authenticate = staticKeys({ file })
    expect(await authenticate({ bearer: ada.key })).toMatchObject({ name: 'ada' })
    writeFileSync(file, JSON.stringify([ray]))
    expect(await authenticate({ bearer: ada.key })).toBeUndefined()
    expect(await authenticate({ bearer: ray.key })).toMatchObject({ name: 'ray' })
  })

  test('that cannot be used any more lets nobody in', async () => {
    const file = join(folder, 'broken.json')
    writeFileSync(file, JSON.stringify([ada]))
    const authenticate = staticKeys({ file })
    writeFileSync(file, '[{"key"')
    await expect(authenticate({ bearer: ada.key })).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
  })

  test.each([
    ['is not there', undefined],
    ['is no JSON', 'keys'],
    ['is no list', JSON.stringify(ada)],
  ])('that %s is refused at once', (what, text) => {
    const file = join(folder, `${what}.json`)
    if (text !== undefined) writeFileSync(file, text)
    expect(() => staticKeys({ file })).toThrow(expect.objectContaining({ code: 'SETTINGS_INVALID' }))
  })
})

test.each([
  ['none', []],
  ['a key twice', [ada, { ...ray, key: ada.key }]],
  ['a short key', [{ ...ada, key: 'tooshort' }]],
  ['a key with a space', [{ ...ada, key: 'ada 0123456789abcdef' }]],
  ['no tenant', [{ ...ada, tenant: '' }]],
  ['no name', [{ ...ada, name: '' }]],
  ['an unknown permission', [{ ...ada, permissions: ['root'] as never }]],
])('keys of which %s could be used by mistake are refused, and not told', (_what, keys) => {
  let error: unknown
  try {
    staticKeys(keys)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'SETTINGS_INVALID' })
  for (const { key } of keys) expect((error as Error).message).not.toContain(key)
})
