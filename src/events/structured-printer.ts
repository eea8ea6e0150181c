import type { JsonObject } from '../json.ts'
import { writeYaml } from '../turns/yaml-writer.ts'
import { encodeEvent, sharedFields } from './codec.ts'
import type { InferenceEvent } from './event.ts'
import type { EventSink } from './sink.ts'

export interface StructuredPrinterOptions {
  /** Whether ordinal, time and ids are printed too. Default true. */
  readonly ids?: boolean
}

/** Prints each event as one line of JSON. */
export function jsonPrinter(write: (text: string) => void, options: StructuredPrinterOptions = {}): EventSink {
  return (event) => write(`${JSON.stringify(shown(event, options))}\n`)
}

/** Prints each event as a YAML document. */
export function yamlPrinter(write: (text: string) => void, options: StructuredPrinterOptions = {}): EventSink {
  return (event) => write(`---\n${writeYaml(shown(event, options))}`)
}

function shown(event: InferenceEvent, options: StructuredPrinterOptions): JsonObject {
  const stored = encodeEvent(event)
  if (options.ids !== false) return stored
  return Object.fromEntries(Object.entries(stored).filter(([name]) => name === 'type' || !sharedFields.has(name)))
}
