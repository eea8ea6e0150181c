import type { StandardSchemaV1 } from '@standard-schema/spec'
import { GeppettoError } from '../errors.ts'
import { findNonJson, type Json } from '../json.ts'
import type { EngineEvent, InferenceEvent, UnknownEvent } from './event.ts'

/** An application's own event: its name, and the schema of its data. */
export interface EventDefinition<Input = unknown, Output = Input> {
  readonly name: string
  /** The event that an engine or a middleware yields. Throws EVENT_INVALID for data that does not fit. */
  create(data: Input): Extract<EngineEvent, { type: 'custom' }>
  /** The data of such an event, undefined for any other. Throws EVENT_INVALID for data that does not fit. */
  match(event: EngineEvent | InferenceEvent | UnknownEvent): Output | undefined
  /** What the schema makes of stored data. Throws EVENT_INVALID. */
  parse(data: Json): Output
}

/** Defines an event by its name, as `my-app.chart-drawn`, and a Standard Schema for its data, which must be JSON. */
export function defineEvent<Schema extends StandardSchemaV1>(
  name: string,
  schema: Schema,
): EventDefinition<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>> {
  if (name.trim() === '') throw new GeppettoError('EVENT_INVALID', 'An event needs a name.')
  const parse = (data: unknown) => validate(name, schema, data)
  return {
    name,
    parse,
    create(data) {
      parse(data)
      const problem = data === undefined ? '$' : findNonJson(data)
      if (problem !== undefined) throw invalid(name, `the value at ${problem} is not JSON`)
      return { type: 'custom', name, data: data as Json } // checked above
    },
    match: (event) => (event.type === 'custom' && event.name === name ? parse(event.data) : undefined),
  }
}

/** The events that an application has defined, for `decodeEvent` to check what it reads. */
export class EventRegistry {
  readonly #definitions = new Map<string, EventDefinition<never, unknown>>()

  constructor(definitions: Iterable<EventDefinition<never, unknown>> = []) {
    for (const definition of definitions) this.register(definition)
  }

  /** Throws EVENT_TYPE_TAKEN when an event of this name is registered already. */
  register(definition: EventDefinition<never, unknown>): void {
    if (this.#definitions.has(definition.name)) {
      throw new GeppettoError(
        'EVENT_TYPE_TAKEN',
        `An event named ${JSON.stringify(definition.name)} is registered already; give each event its own name.`,
        { details: { name: definition.name } },
      )
    }
    this.#definitions.set(definition.name, definition)
  }

  /** Throws EVENT_INVALID when `data` does not fit the event of this name. A name that nobody defined passes. */
  check(name: string, data: Json): void {
    this.#definitions.get(name)?.parse(data)
  }
}

function validate<Schema extends StandardSchemaV1>(
  name: string,
  schema: Schema,
  data: unknown,
): StandardSchemaV1.InferOutput<Schema> {
  const result = schema['~standard'].validate(data)
  if (result instanceof Promise) throw invalid(name, 'its schema must not be async')
  if (result.issues === undefined) return result.value
  throw invalid(name, result.issues.map((issue) => issue.message).join('; '))
}

function invalid(name: string, problem: string): GeppettoError {
  return new GeppettoError('EVENT_INVALID', `The data of event ${JSON.stringify(name)} cannot be used: ${problem}.`, {
    details: { name },
  })
}
