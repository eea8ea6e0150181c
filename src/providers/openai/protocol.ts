import type { Engine } from '../../inference/engine.ts'
import { providerEngine } from '../engine.ts'
import type { Protocol } from '../protocol.ts'
import type { ProviderSettings } from '../provider-settings.ts'
import { ChatDecoder } from './decoder.ts'
import { toRequest } from './request.ts'

const protocol: Protocol = {
  name: 'openai',
  defaultBaseUrl: 'https://api.openai.com/v1',
  authHeaders: (apiKey) => ({ authorization: `Bearer ${apiKey}` }),
  project: toRequest,
  decoder: () => new ChatDecoder(),
}

/** OpenAI's Chat Completions, and every endpoint that is compatible with them. */
export function openai(settings: ProviderSettings): Engine {
  return providerEngine(protocol, settings)
}
