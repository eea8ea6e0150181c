import type { Engine } from '../../inference/engine.ts'
import { providerEngine } from '../engine.ts'
import type { Protocol } from '../protocol.ts'
import type { ProviderSettings } from '../provider-settings.ts'
import { GeminiDecoder } from './decoder.ts'
import { toRequest } from './request.ts'

const protocol: Protocol = {
  name: 'gemini',
  defaultBaseUrl: 'https://generativelanguage.googleapis.com/v1beta',
  authHeaders: (apiKey) => ({ 'x-goog-api-key': apiKey }),
  project: toRequest,
  decoder: () => new GeminiDecoder(),
}

/** Google's Gemini API. */
export function gemini(settings: ProviderSettings): Engine {
  return providerEngine(protocol, settings)
}
