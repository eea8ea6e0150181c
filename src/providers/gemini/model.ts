/**
 * The generation that a model's name says: 2 for `gemini-2.5-flash`. Aliases of the latest model count as 3, for that is
 * the least that they mean; undefined for a model that is no numbered Gemini.
 */
export function generationOf(model: string): number | undefined {
  const name = model.toLowerCase()
  const number = /gemini-(\d+)/.exec(name)?.[1]
  if (number !== undefined) return Number(number)
  return /gemini-(?:[a-z]+-)*latest/.test(name) ? 3 : undefined
}

/** The path of a model under the API's base; a name with a slash is a resource of its own, such as a tuned model. */
export function modelPath(model: string): string {
  const resource = model.includes('/') ? model : `models/${model}`
  return resource.split('/').map(encodeURIComponent).join('/')
}
