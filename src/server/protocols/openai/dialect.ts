import { Hono } from 'hono'
import type { JsonObject } from '../../../json.ts'
import type { Dialect, RouteEnv, ServerContext } from '../../context.ts'
import { chatRoutes } from './chat-routes.ts'
import { errorResponse } from './error.ts'
import { responseRoutes } from './response-routes.ts'
import { Passing } from './running.ts'

export interface OpenAiOptions {
  /** Whether chat completions tell the model's reasoning, as `reasoning_content`, which is not OpenAI's. Default false. */
  readonly tellsReasoning?: boolean
}

/**
 * The API of OpenAI, chat completions and responses, below `/v1`: any of its clients can use the server, with a profile's
 * name for the model.
 */
export function openAi({ tellsReasoning = false }: OpenAiOptions = {}): (context: ServerContext) => Dialect {
  return (context) => {
    const passing = new Passing(context)
    const { profiles } = context
    const routes = new Hono<RouteEnv>().basePath('/v1')
    routes.route('/', chatRoutes(context, passing, { tellsReasoning }))
    routes.route('/', responseRoutes(context, passing))
    routes.get('/models', (c) => c.json({ object: 'list', data: profiles.all.map(({ slug }) => modelOf(slug)) }))
    routes.get('/models/:id', (c) => c.json(modelOf(profiles.named(c.req.param('id')).slug)))
    return { routes, errors: { below: '/v1', respond: errorResponse } }
  }
}

/** A profile, as a client sees it: nobody made it at any time. */
function modelOf(slug: string): JsonObject {
  return { id: slug, object: 'model', created: 0, owned_by: 'geppetto' }
}
