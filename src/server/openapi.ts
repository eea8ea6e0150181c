import { toJsonSchema, toJsonSchemaDefs, type ConversionConfig } from '@valibot/to-json-schema'
import * as v from 'valibot'
import type { JsonObject } from '../json.ts'

/** What can be asked of a server at one address, and what it answers: the shapes are those that the routes read. */
export interface Operation {
  readonly method: 'get' | 'post' | 'patch' | 'delete'
  /** As the router has it, `/sessions/:id`. */
  readonly path: string
  readonly name: string
  readonly summary: string
  readonly query?: v.ObjectSchema<v.ObjectEntries, undefined>
  /** Headers that may come with it, and what they mean. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: { readonly schema: v.GenericSchema; readonly isOptional?: true }
  readonly answer: {
    readonly status: 200 | 201 | 202 | 204
    readonly content: Readonly<Record<string, v.GenericSchema>>
  }
}

export interface Api {
  readonly title: string
  readonly version: string
  readonly operations: readonly Operation[]
  /** Shapes that have a name in the document. */
  readonly shapes: Readonly<Record<string, v.GenericSchema>>
  /** What a part of a path stands for. */
  readonly parameters: Readonly<Record<string, string>>
}

const problemSchema = v.object({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  detail: v.string(),
  code: v.string(),
  request_id: v.string(),
})

/** The API as an OpenAPI 3.1 document; `base` is the path that its operations lie under. */
export function openApiDocument(api: Api, base: string): JsonObject {
  const shapes = { ...api.shapes, Problem: problemSchema }
  const config = {
    target: 'draft-2020-12',
    typeMode: 'input',
    // What a route makes of a text before it looks at it is nothing that a schema can say.
    ignoreActions: ['trim'],
    definitions: shapes,
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
  } satisfies ConversionConfig
  const schemaOf: SchemaOf = (schema) => {
    const { $schema: _, $defs: _named, ...rest } = toJsonSchema(schema, config)
    return rest as JsonObject // a JSON schema is JSON
  }
  const paths: Record<string, JsonObject> = {}
  for (const operation of api.operations) {
    const path = operation.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [operation.method]: operationObject(operation, api, schemaOf) }
  }
  return {
    openapi: '3.1.1',
    info: { title: api.title, version: api.version },
    servers: [{ url: base }],
    // A server on loopback may let everybody in.
    security: [{ bearer: [] }, { apiKey: [] }, {}],
    paths,
    components: {
      schemas: toJsonSchemaDefs(shapes, config) as unknown as JsonObject, // JSON schemas are JSON
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
      responses: {
        Problem: {
          description: 'It was refused, or failed: a problem document (RFC 9457) with a stable code.',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  }
}

type SchemaOf = (schema: v.GenericSchema) => JsonObject

function operationObject(operation: Operation, { parameters }: Api, schemaOf: SchemaOf): JsonObject {
  const { name, summary, path, query, headers = {}, body, answer } = operation
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, part = '']) => ({
    ...{ name: part, in: 'path', required: true, schema: { type: 'string' } },
    description: parameters[part] ?? part,
  }))
  const inQuery = Object.entries(query?.entries ?? {}).map(([key, schema]) => {
    return { name: key, in: 'query', required: false, schema: schemaOf(schema) }
  })
  const inHeader = Object.entries(headers).map(([key, description]) => ({
    ...{ name: key, in: 'header', required: false, schema: { type: 'string' } },
    description,
  }))
  const contents = Object.entries(answer.content).map(([type, schema]) => [type, { schema: schemaOf(schema) }] as const)
  return {
    operationId: name,
    summary,
    parameters: [...inPath, ...inQuery, ...inHeader],
    ...(body && {
      requestBody: {
        required: body.isOptional !== true,
        content: { 'application/json': { schema: schemaOf(body.schema) } },
      },
    }),
    responses: {
      [answer.status]: {
        description: summary,
        ...(contents.length > 0 && { content: Object.fromEntries(contents) }),
      },
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}
