import type { EngineEvent } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import { list, number, object, objects, text } from '../wire.ts'

// What comes beside the message itself: sources, and what the vendor made or did on its own.

/** The citation that an annotation of the text is; undefined for one of another kind. */
export function annotatedCitation(annotation: JsonObject): EngineEvent | undefined {
  const source = object(annotation, 'url_citation')
  if (source === undefined) return undefined
  const [url, title, citedText] = [text(source, 'url'), text(source, 'title'), text(source, 'content')]
  const [startIndex, endIndex] = [number(source, 'start_index'), number(source, 'end_index')]
  return {
    type: 'citation',
    ...(url !== undefined && { url }),
    ...(title !== undefined && { title }),
    ...(citedText !== undefined && { citedText }),
    ...(startIndex !== undefined && { startIndex }),
    ...(endIndex !== undefined && { endIndex }),
  }
}

/** Sources that are listed beside the choices (Perplexity, xAI), in every chunk again. */
export class SourceList {
  readonly #known = new Set<string>()

  /** The sources that were not listed before. */
  news(chunk: JsonObject): readonly EngineEvent[] {
    if (chunk['citations'] === undefined && chunk['search_results'] === undefined) return []
    const titles = new Map<string, string>()
    for (const url of list(chunk, 'citations')) if (typeof url === 'string') titles.set(url, '')
    for (const result of objects(chunk, 'search_results')) {
      titles.set(text(result, 'url') ?? '', text(result, 'title') ?? '')
    }
    return [...titles].flatMap(([url, title]) => {
      if (url === '' || this.#known.has(url)) return []
      this.#known.add(url)
      return [{ type: 'citation', url, ...(title !== '' && { title }) }]
    })
  }
}

/** Items that come in pieces and are whole at the end: spoken audio, and server tools (Groq's `executed_tools`). */
export class GatheredItems {
  #audio: JsonObject = {}
  readonly #sound: string[] = []
  #tools: readonly JsonObject[] = []

  add(delta: JsonObject): void {
    if (delta['audio'] === undefined && delta['executed_tools'] === undefined) return
    const { transcript: _transcript, data, ...fields } = object(delta, 'audio') ?? {}
    this.#audio = { ...this.#audio, ...fields }
    if (typeof data === 'string' && data !== '') this.#sound.push(data)
    for (const tool of objects(delta, 'executed_tools')) {
      const known = this.#tools.find((each) => each['index'] === tool['index'])
      this.#tools = [...this.#tools.filter((each) => each !== known), { ...known, ...tool }]
    }
  }

  all(): readonly JsonObject[] {
    const audio = this.#sound.length === 0 ? [] : [{ type: 'audio', ...this.#audio, data: this.#sound }]
    return [...this.#tools, ...audio]
  }
}
