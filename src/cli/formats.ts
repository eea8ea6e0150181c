/** What `run` can print. */
export const outputFormats = ['text', 'events', 'json', 'yaml'] as const
export type OutputFormat = (typeof outputFormats)[number]

/** What `turn show` can print. */
export const turnFormats = ['text', 'json', 'yaml'] as const
export type TurnFormat = (typeof turnFormats)[number]

/** How much `geppetto serve` tells of what it does. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]
