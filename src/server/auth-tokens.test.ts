import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { jwks, type TokenOptions } from './auth-tokens.ts'

type Pair = Awaited<ReturnType<typeof generateKeyPair>>
const [issuer, audience] = ['https://login.example.com', 'geppetto']
const clock = new FakeClock()
const start = clock.now() / 1000
const claims = { iss: issuer, aud: audience, sub: 'ada', exp: start + 60 }

let pair: Pair
let strange: Pair
beforeAll(async () => {
  pair = await generateKeyPair('ES256')
  strange = await generateKeyPair('ES256')
})

function signed(payload: JWTPayload, { privateKey } = pair, header: { readonly kid?: string } = {}): Promise<string> {
  return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', ...header }).sign(privateKey)
}

async function keySet() {
  return { keys: [{ ...(await exportJWK(pair.publicKey)), alg: 'ES256', kid: 'one' }] }
}

async function authenticate(bearer: string, options: Partial<TokenOptions> = {}) {
  return jwks({ issuer, audience, clock, keys: await keySet(), ...options })({ bearer })
}

test('a token says who somebody is and for how long; each user has sessions of their own', async () => {
  expect(await authenticate(await signed(claims))).toEqual({
    tenant: 'ada',
    name: 'ada',
    permissions: new Set(['read', 'write']),
    expiresAt: (start + 60) * 1000,
  })
})

test('claims of the issuer say the tenant', async () => {
  const token = await signed({ ...claims, org: 'north' })
  expect(await authenticate(token, { tenantClaim: 'org' })).toMatchObject({ tenant: 'north', name: 'ada' })
})

test.each([
  ['read inspect', ['read', 'inspect']],
  [['write', 'root', 7], ['write']],
  ['', []],
  [undefined, []],
  [{ read: true }, []],
])('permissions of %j are %j', async (scope, expected) => {
  const token = await signed({ ...claims, ...(scope !== undefined && { scope }) })
  const principal = await authenticate(token, { permissionsClaim: 'scope' })
  expect(principal?.permissions).toEqual(new Set(expected))
})

test.each<readonly [string, JWTPayload]>([
  ['of another issuer', { ...claims, iss: 'https://evil.example' }],
  ['for another server', { ...claims, aud: 'other' }],
  ['that is over', { ...claims, exp: start }],
  ['that is not good yet', { ...claims, nbf: start + 10 }],
  ['that never ends', { iss: issuer, aud: audience, sub: 'ada' }],
  ['of nobody', { iss: issuer, aud: audience, exp: start + 60 }],
  ['of an empty name', { ...claims, sub: '' }],
])('a token %s lets nobody in', async (_what, payload) => {
  expect(await authenticate(await signed(payload))).toBeUndefined()
})

test('a token without the tenant that is asked for lets nobody in', async () => {
  const org = ['north'] // no text
  expect(await authenticate(await signed(claims), { tenantClaim: 'org' })).toBeUndefined()
  expect(await authenticate(await signed({ ...claims, org }), { tenantClaim: 'org' })).toBeUndefined()
})

test('a token that somebody else signed, or nobody, or with the public key as a secret, lets nobody in', async () => {
  const { keys } = await keySet()
  const publicText = new TextEncoder().encode(JSON.stringify(keys[0]))
  const bySecret = new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(publicText)
  const genuine = await signed(claims)
  const [head = '', , signature = ''] = genuine.split('.')
  const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'bob' })).toString('base64url')
  for (const token of [
    await signed(claims, strange),
    await bySecret,
    new UnsecuredJWT(claims).encode(),
    `${head}.${changed}.${signature}`,
    `${genuine}x`,
    'no.token.at-all',
    'a'.repeat(100_000),
    '..',
    '',
  ]) {
    expect(await authenticate(token), token.slice(0, 40)).toBeUndefined()
  }
})

describe('keys that the issuer publishes', () => {
  /** Publishes what the test says, and counts how often it was fetched. */
  async function publisher() {
    const state = { answer: JSON.stringify(await keySet()), status: 200, fetched: 0 }
    const server = createServer((_request, response) => {
      state.fetched += 1
      response.writeHead(state.status, { 'content-type': 'application/json' }).end(state.answer)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo // it listens on a port
    const url = `http://127.0.0.1:${port}/jwks`
    const [asyncDispose] = [() => new Promise<void>((resolve) => server.close(() => resolve()))]
    return { state, url, [Symbol.asyncDispose]: asyncDispose }
  }

  test('are fetched once for many tokens, and not again for each token of a key that is not there', async () => {
    await using published = await publisher()
    const check = jwks({ issuer, audience, clock, url: published.url })
    const token = await signed(claims, pair, { kid: 'one' })
    for (let index = 0; index < 5; index += 1) expect(await check({ bearer: token })).toMatchObject({ name: 'ada' })
    for (let index = 0; index < 5; index += 1) {
      const bearer = await signed(claims, strange, { kid: `made-up-${index}` })
      expect(await check({ bearer })).toBeUndefined()
    }
    expect(published.state.fetched).toBe(1)
  })

  test.each([
    ['are not there', 404, ''],
    ['are no keys', 200, '{"keys":1}'],
    ['are a page', 200, '<html>'],
    ['are elsewhere', 302, ''],
  ])('and that %s let nobody in, and say that it is not the token', async (_what, status, answer) => {
    await using published = await publisher()
    Object.assign(published.state, { status, answer })
    const check = jwks({ issuer, audience, clock, url: published.url })
    const bearer = await signed(claims)
    await expect(check({ bearer })).rejects.toMatchObject({ code: 'AUTHENTICATION_UNAVAILABLE' })
  })

  test('cannot be reached: nobody is let in', async () => {
    const { url, [Symbol.asyncDispose]: close } = await publisher()
    await close()
    const check = jwks({ issuer, audience, clock, url })
    await expect(check({ bearer: await signed(claims) })).rejects.toMatchObject({ code: 'AUTHENTICATION_UNAVAILABLE' })
  })

  test.each(['http://login.example.com/jwks', 'file:///keys', 'no address'])('are not fetched from %s', (url) => {
    expect(() => jwks({ issuer, audience, url })).toThrow(expect.objectContaining({ code: 'SETTINGS_INVALID' }))
  })
})
