import { common, createLowlight } from 'lowlight'

/** Knows the languages that people mostly ask about. */
export const highlighter = createLowlight(common)
