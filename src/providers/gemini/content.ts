import type { Part } from '../part.ts'

export interface Content {
  readonly role: 'user' | 'model'
  readonly parts: readonly Part[]
}
