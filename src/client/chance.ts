import type { NewId } from '../clock.ts'

/** Where chance comes from: a number from 0 up to and without 1. */
export type Random = () => number

export const systemRandom: Random = () => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32

/** 128 bits of chance, as 32 hexadecimal digits. `crypto.randomUUID` is not there on pages without TLS. */
export const randomId: NewId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
