/** The path that the server lies under, as it has written it into the page; empty when it lies under none. */
export const basePath = document.documentElement.dataset['base'] ?? ''

/** Where the server is. */
export const baseUrl = `${location.origin}${basePath}`
