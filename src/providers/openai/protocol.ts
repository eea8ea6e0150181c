import type { Engine } from '../../inference/engine.ts'
import { providerEngine } from '../engine.ts'
import type { Protocol } from '../protocol.ts'
import type { ProviderSettings } from '../provider-settings.ts'
import { ChatDecoder } from './decoder.ts'
import { toRequest } from './request.ts'
import { vendorOf, type Vendor } from './vendors.ts'

const defaultBaseUrl = 'https://api.openai.com/v1'

/** Chat Completions as one vendor takes them; what comes back is read the same whoever sends it. */
function chatProtocol(vendor: Vendor): Protocol {
  return {
    name: 'openai',
    defaultBaseUrl,
    authHeaders: (apiKey) => ({ authorization: `Bearer ${apiKey}` }),
    project: (turn, settings, tools) => toRequest(vendor, turn, settings, tools),
    decoder: () => new ChatDecoder(),
  }
}

/**
 * An engine for Chat Completions, of OpenAI and of every compatible endpoint. The base URL, else the model's name, tells
 * whose rules hold (vendors.ts); another header for the key goes into `headers`.
 */
export function openai(settings: ProviderSettings): Engine {
  return providerEngine(chatProtocol(vendorOf(settings.baseUrl ?? defaultBaseUrl, settings.model)), settings)
}
