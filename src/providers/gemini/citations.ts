import type { EngineEvent } from '../../events/event.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { list, number, object, objects, text } from '../wire.ts'

// What an answer rests on: pages that a search found, files, quoted works, fetched links.
// ai.google.dev/gemini-api/docs/google-search

type Citation = Extract<EngineEvent, { type: 'citation' }>
type Place = Pick<Citation, 'citedText' | 'startIndex' | 'endIndex'>

/** Gathers the sources that a candidate names. A stream repeats them, each time with what is known by then. */
export class Citations {
  #grounding: JsonObject | undefined
  #quoted: JsonObject | undefined
  #links: JsonObject | undefined
  readonly #queries = new Set<string>()

  /** Takes one candidate, and gives the searches that it is the first to tell of. */
  add(candidate: JsonObject): readonly EngineEvent[] {
    this.#grounding = joined(this.#grounding, object(candidate, 'groundingMetadata'))
    this.#quoted = joined(this.#quoted, object(candidate, 'citationMetadata'))
    this.#links = joined(
      this.#links,
      object(candidate, 'urlContextMetadata') ?? object(candidate, 'url_context_metadata'),
    )
    const queries = list(object(candidate, 'groundingMetadata') ?? {}, 'webSearchQueries')
    return queries.flatMap((query) => (typeof query === 'string' ? this.#searched(query) : []))
  }

  /** All sources, each with the place in `answer` that rests on it where that is known. */
  events(answer: string): readonly Citation[] {
    const found = [
      ...groundings(this.#grounding ?? {}, answer),
      ...quotes(this.#quoted ?? {}, answer),
      ...links(this.#links ?? {}),
    ]
    const once = new Map(found.map((citation) => [JSON.stringify(citation), citation]))
    return [...once.values()]
  }

  /** The metadata as it came. */
  get extra(): JsonObject {
    return {
      ...(this.#grounding !== undefined && { grounding_metadata: this.#grounding }),
      ...(this.#quoted !== undefined && { citation_metadata: this.#quoted }),
      ...(this.#links !== undefined && { url_context_metadata: this.#links }),
    }
  }

  #searched(query: string): readonly EngineEvent[] {
    if (this.#queries.has(query)) return []
    this.#queries.add(query)
    return [{ type: 'web-search-started', query }, { type: 'web-search-done' }]
  }
}

function joined(known: JsonObject | undefined, news: JsonObject | undefined): JsonObject | undefined {
  return news === undefined ? known : { ...known, ...news }
}

/** A citation for each source of each supported place, then the sources that support no place in particular. */
function groundings(metadata: JsonObject, answer: string): readonly Citation[] {
  const sources = list(metadata, 'groundingChunks').map((chunk) => (isJsonObject(chunk) ? sourceOf(chunk) : undefined))
  const used = new Set<number>()
  const supported = objects(metadata, 'groundingSupports').flatMap((support) => {
    const place = placeOf(object(support, 'segment') ?? {}, answer)
    return list(support, 'groundingChunkIndices').flatMap((index) => {
      const source = typeof index === 'number' ? sources[index] : undefined
      if (source === undefined) return []
      used.add(Number(index))
      return [{ ...source, ...place }]
    })
  })
  const rest = sources.filter((source, index) => source !== undefined && !used.has(index))
  return [...supported, ...rest.flatMap((source) => source ?? [])]
}

function sourceOf(chunk: JsonObject): Citation | undefined {
  const source = ['web', 'retrievedContext', 'maps', 'image'].map((kind) => object(chunk, kind)).find(Boolean) ?? {}
  return citation(text(source, 'uri') ?? text(source, 'sourceUri'), text(source, 'title'))
}

// The works are `citationSources` in the Gemini API and `citations` in Vertex.
function quotes(metadata: JsonObject, answer: string): readonly Citation[] {
  const works = [...objects(metadata, 'citationSources'), ...objects(metadata, 'citations')]
  return works.flatMap((work) => {
    const source = citation(text(work, 'uri'), text(work, 'title'))
    return source === undefined ? [] : [{ ...source, ...placeOf(work, answer) }]
  })
}

function links(metadata: JsonObject): readonly Citation[] {
  return objects(metadata, 'urlMetadata')
    .filter((link) => (text(link, 'urlRetrievalStatus') ?? 'URL_RETRIEVAL_STATUS_SUCCESS').endsWith('SUCCESS'))
    .flatMap((link) => citation(text(link, 'retrievedUrl'), undefined) ?? [])
}

function citation(url: string | undefined, title: string | undefined): Citation | undefined {
  if (url === undefined && title === undefined) return undefined
  return { type: 'citation', ...(url !== undefined && { url }), ...(title !== undefined && { title }) }
}

// Places are counted in bytes, and from the start of a part that the stream has cut in pieces: a place that does not say
// what it should is not told.
function placeOf(segment: JsonObject, answer: string): Place {
  const citedText = text(segment, 'text')
  const endBytes = number(segment, 'endIndex')
  const cited = citedText === undefined ? {} : { citedText }
  if (endBytes === undefined) return cited
  const bytes = new TextEncoder().encode(answer)
  const startIndex = lengthOf(bytes.subarray(0, number(segment, 'startIndex') ?? 0))
  const endIndex = lengthOf(bytes.subarray(0, endBytes))
  const isThere = citedText === undefined || answer.slice(startIndex, endIndex) === citedText
  return endBytes <= bytes.length && isThere ? { ...cited, startIndex, endIndex } : cited
}

/** The length of a text of UTF-8 in UTF-16 code units. */
function lengthOf(bytes: Uint8Array): number {
  return new TextDecoder().decode(bytes).length
}
