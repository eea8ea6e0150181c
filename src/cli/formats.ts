/** What `run` can print. */
export const outputFormats = ['text', 'events', 'json', 'yaml'] as const
export type OutputFormat = (typeof outputFormats)[number]

/** What `turn show` can print. */
export const turnFormats = ['text', 'json', 'yaml'] as const
export type TurnFormat = (typeof turnFormats)[number]
