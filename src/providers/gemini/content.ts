import type { JsonObject } from '../../json.ts'

/** A part of a content, and the block that it was made of. */
export interface Part {
  readonly block: number
  readonly content: JsonObject
}
export interface Content {
  readonly role: 'user' | 'model'
  readonly parts: readonly Part[]
}

/** Says of a block what was changed so that it can be sent. */
export type Note = (repair: string, detail: string) => void
export type NoteAt = (block: number) => Note
