import type { Engine } from '../../inference/engine.ts'
import { providerEngine } from '../engine.ts'
import type { Protocol } from '../protocol.ts'
import type { ProviderSettings } from '../provider-settings.ts'
import { ResponsesDecoder } from './decoder.ts'
import { providerName } from './item.ts'
import { toRequest } from './request.ts'

/** OpenAI's Responses API, and the endpoints that speak it. */
const responsesProtocol: Protocol = {
  name: providerName,
  defaultBaseUrl: 'https://api.openai.com/v1',
  authHeaders: (apiKey) => ({ authorization: `Bearer ${apiKey}` }),
  project: toRequest,
  decoder: () => new ResponsesDecoder(),
}

/**
 * The models of OpenAI over its Responses API. Nothing is kept on the server unless `openai.store` asks for it: a turn
 * is sent whole, with the sealed reasoning of earlier replies.
 */
export function openaiResponses(settings: ProviderSettings): Engine {
  return providerEngine(responsesProtocol, settings)
}
