import type { Part } from '../part.ts'

export interface Message {
  readonly role: 'user' | 'assistant'
  readonly parts: readonly Part[]
}
