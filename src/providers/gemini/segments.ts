import type { JsonObject } from '../../json.ts'
import { assistantText, reasoning } from '../../turns/block.ts'
import { thoughtKey } from '../../turns/keys.ts'
import type { Emit } from '../protocol.ts'
import { text } from '../wire.ts'
import { sealed } from './sealed.ts'

interface Segment {
  readonly kind: 'text' | 'reasoning'
  readonly segmentId: string
  said: string
  /** The parts as they go back. */
  readonly parts: JsonObject[]
}

/**
 * The text or the thoughts that are being written: all text parts of one kind that follow each other. The pieces of a
 * stream are joined to one part again, but a part with a signature stays by itself, for "don't merge one part with a
 * signature with another part without a signature". ai.google.dev/gemini-api/docs/thinking#signatures
 */
export class Segments {
  #open: Segment | undefined
  #count = 0
  #answer = ''

  /** The text of the answer so far, without thoughts. */
  get answer(): string {
    return this.#answer
  }

  /** Takes a text part; one that says nothing belongs to the text before it, and is not taken where there is none. */
  write(part: JsonObject, emit: Emit): boolean {
    const said = text(part, 'text') ?? ''
    const kind = part['thought'] === true ? 'reasoning' : 'text'
    if (said === '' && this.#open?.kind !== kind) return false
    const segment = this.#segment(kind, emit)
    keep(segment, part, said)
    if (said === '') return true
    const type = kind === 'text' ? 'text-delta' : 'reasoning-delta'
    emit({ type, segmentId: segment.segmentId, offset: segment.said.length, delta: said })
    segment.said += said
    if (kind === 'text') this.#answer += said
    return true
  }

  close(emit: Emit): void {
    const segment = this.#open
    this.#open = undefined
    if (segment === undefined) return
    const { kind, segmentId, said, parts } = segment
    const signature = parts.map((part) => text(part, 'thoughtSignature')).findLast((found) => found !== undefined)
    if (kind === 'text') {
      const block = sealed(assistantText(said), parts, signature)
      emit({ type: 'text-segment-finished', segmentId, block })
    } else {
      const block = sealed(thoughtKey.set(reasoning({ text: said }), true), parts, signature)
      emit({ type: 'reasoning-segment-finished', segmentId, block })
    }
  }

  #segment(kind: Segment['kind'], emit: Emit): Segment {
    if (this.#open?.kind === kind) return this.#open
    this.close(emit)
    const segmentId = `${kind}-${this.#count}`
    this.#count += 1
    this.#open = { kind, segmentId, said: '', parts: [] }
    if (kind === 'text') emit({ type: 'text-segment-started', segmentId })
    else emit({ type: 'reasoning-segment-started', segmentId, source: 'thinking' })
    return this.#open
  }
}

function keep({ parts }: Segment, part: JsonObject, said: string): void {
  const last = parts.at(-1)
  if (last === undefined || !isBare(last) || !isBare(part)) parts.push(part)
  else parts[parts.length - 1] = { ...last, text: `${text(last, 'text') ?? ''}${said}` }
}

/** Whether a text part holds nothing but its text. */
export function isBare(part: JsonObject): boolean {
  return Object.keys(part).every((key) => key === 'text' || key === 'thought')
}
