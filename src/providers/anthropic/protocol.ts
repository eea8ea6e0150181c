import type { Engine } from '../../inference/engine.ts'
import { providerEngine } from '../engine.ts'
import type { Protocol } from '../protocol.ts'
import type { ProviderSettings } from '../provider-settings.ts'
import { AnthropicDecoder } from './decoder.ts'
import { toRequest } from './request.ts'

/** The Messages API of Anthropic, and of everyone who speaks it. */
const anthropicProtocol: Protocol = {
  name: 'anthropic',
  defaultBaseUrl: 'https://api.anthropic.com/v1',
  authHeaders: (apiKey) => ({ 'x-api-key': apiKey }),
  listHeaders: ['anthropic-beta'],
  project: toRequest,
  decoder: () => new AnthropicDecoder(),
}

/**
 * An engine for Claude models. `apiKey` is sent as `x-api-key`; a gateway that wants another header takes it through
 * `headers`, and betas of your own come as `anthropic-beta` there.
 */
export function anthropic(settings: ProviderSettings): Engine {
  return providerEngine(anthropicProtocol, settings)
}
