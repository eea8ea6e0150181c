import type { JsonObject } from '../json.ts'

/** A piece of a request's message, and the block of the turn that it was made of (-1 for none). */
export interface Part {
  readonly block: number
  readonly content: JsonObject
}

/** Says of a block what was changed so that it can be sent. */
export type Note = (repair: string, detail: string) => void
export type NoteAt = (block: number) => Note
