import type { JsonObject } from '../../json.ts'

/** A content block of a message, and the block of the turn that it came from (-1 for none). */
export interface Part {
  readonly block: number
  readonly content: JsonObject
}

export interface Message {
  readonly role: 'user' | 'assistant'
  readonly parts: readonly Part[]
}

/** Hears of a repair of the block that is being read. */
export type Note = (repair: string, detail: string) => void
/** The note for one block. */
export type NoteAt = (block: number) => Note
