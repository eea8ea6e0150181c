import { GeppettoError } from '../errors.ts'
import type { EngineEvent } from './event.ts'
import { TagExtractor, type TagExtractorOptions, type TagPart } from './tag-extractor.ts'

/** One tagged block in the text of a model. */
export interface TaggedBlock {
  /** `<segment id>:<n>`, n counting the blocks of the segment from 1. */
  readonly id: string
  readonly tag: string
  readonly segmentId: string
  /** Aborts when the block has finished, or when the run ended or began again before it could. */
  readonly signal: AbortSignal
}

/** Follows one block; what its functions return comes before the text around the block. */
export interface TaggedBlockHandler {
  onStart?(): readonly EngineEvent[]
  /** Gets the payload as it comes, at most once for each delta. */
  onRaw?(raw: string): readonly EngineEvent[]
  /** `raw` is the payload; with an error, or malformed and ignored, all of the block from its opening tag on. */
  onCompleted?(raw: string, outcome: { readonly ok: boolean; readonly error?: string }): readonly EngineEvent[]
}

/** What is to be done with the blocks of one tag. */
export interface TaggedExtractor {
  /** `package:type:version`, written in the text as `<package:type:version>`. */
  readonly tag: string
  open(block: TaggedBlock): TaggedBlockHandler
}

export type ExtractOptions = Omit<TagExtractorOptions, 'tags'>

/**
 * Takes tagged blocks out of the text of an engine's events and hands them to their extractors. Text deltas and the
 * finished block hold what is left, with offsets to match; all other events pass as they are.
 */
export function extractTagged(
  extractors: readonly TaggedExtractor[],
  options: ExtractOptions = {},
): (events: AsyncIterable<EngineEvent>) => AsyncIterable<EngineEvent> {
  const byTag = new Map(extractors.map((extractor) => [extractor.tag, extractor]))
  if (byTag.size < extractors.length) {
    throw new GeppettoError('EVENT_TYPE_TAKEN', 'Two extractors have the same tag; give each tag one extractor.')
  }
  const open = (segmentId: string) => new FilteredSegment(segmentId, byTag, options)
  return (events) => filterSegments(events, open)
}

async function* filterSegments(
  events: AsyncIterable<EngineEvent>,
  open: (segmentId: string) => FilteredSegment,
): AsyncIterable<EngineEvent> {
  const segments = new Map<string, FilteredSegment>()
  const segmentOf = (segmentId: string) => {
    const segment = segments.get(segmentId) ?? open(segmentId)
    segments.set(segmentId, segment)
    return segment
  }
  const flushed = () => [...segments.values()].flatMap((segment) => segment.flush())
  try {
    for await (const event of events) {
      if (event.type === 'text-delta') {
        yield* segmentOf(event.segmentId).push(event.delta)
      } else if (event.type === 'text-segment-finished') {
        yield* segmentOf(event.segmentId).finish(event)
        segments.delete(event.segmentId)
      } else {
        // The next attempt and the next call may use the names of these segments again.
        if (event.type === 'provider-call-finished') yield* flushed()
        if (event.type === 'provider-call-finished' || event.type === 'attempt-discarded') discard(segments)
        yield event
      }
    }
    yield* flushed()
  } catch (error) {
    yield* flushed()
    throw error
  } finally {
    discard(segments)
  }
}

function discard(segments: Map<string, FilteredSegment>): void {
  for (const segment of segments.values()) segment.discard()
  segments.clear()
}

interface OpenBlock {
  readonly handler: TaggedBlockHandler
  readonly controller: AbortController
}

/** One segment of text on its way through an extractor. */
class FilteredSegment {
  readonly #id: string
  readonly #extractors: ReadonlyMap<string, TaggedExtractor>
  readonly #extractor: TagExtractor
  #seen = 0
  #text = ''
  #blocks = 0
  #block: OpenBlock | undefined

  constructor(id: string, extractors: ReadonlyMap<string, TaggedExtractor>, options: ExtractOptions) {
    this.#id = id
    this.#extractors = extractors
    this.#extractor = new TagExtractor({ ...options, tags: [...extractors.keys()] })
  }

  push(delta: string): readonly EngineEvent[] {
    this.#seen += delta.length
    return this.#events(this.#extractor.push(delta))
  }

  /** The end of text that nobody finished. */
  flush(): readonly EngineEvent[] {
    return this.#events(this.#extractor.end())
  }

  /** A block whose deltas never came, or not all of them, holds the rest of the text. */
  finish(event: Extract<EngineEvent, { type: 'text-segment-finished' }>): readonly EngineEvent[] {
    const unseen = event.block.payload.text.slice(this.#seen)
    const events = [...this.push(unseen), ...this.flush()]
    const block = { ...event.block, payload: { ...event.block.payload, text: this.#text } }
    return [...events, { ...event, block }]
  }

  discard(): void {
    this.#block?.controller.abort()
    this.#block = undefined
  }

  #events(parts: readonly TagPart[]): readonly EngineEvent[] {
    const events = parts.flatMap((part) => this.#extracted(part))
    const delta = parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
    const offset = this.#text.length
    this.#text += delta
    return delta === '' ? events : [...events, { type: 'text-delta', segmentId: this.#id, offset, delta }]
  }

  #extracted(part: TagPart): readonly EngineEvent[] {
    switch (part.type) {
      case 'text':
        return []
      case 'block-started':
        return this.#open(part.tag)?.handler.onStart?.() ?? []
      case 'raw':
        return this.#block?.handler.onRaw?.(part.raw) ?? []
      case 'block-finished': {
        const { ok, raw, error } = part
        const events = this.#block?.handler.onCompleted?.(raw, { ok, ...(error !== undefined && { error }) }) ?? []
        this.discard()
        return events
      }
    }
  }

  #open(tag: string): OpenBlock | undefined {
    const extractor = this.#extractors.get(tag)
    if (extractor === undefined) return undefined
    this.#blocks += 1
    const controller = new AbortController()
    const id = `${this.#id}:${this.#blocks}`
    this.#block = { controller, handler: extractor.open({ id, tag, segmentId: this.#id, signal: controller.signal }) }
    return this.#block
  }
}
