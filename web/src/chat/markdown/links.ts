const safeSchemes = ['https:', 'http:', 'mailto:']

/** Where a link of a model's may lead; undefined for what is no address, or one of a program or of this server. */
export function safeLink(href: string): string | undefined {
  const url = URL.parse(href)
  return url !== null && safeSchemes.includes(url.protocol) ? url.href : undefined
}

/** An image that can be shown without asking anybody for it. */
export function ownImage(href: string): string | undefined {
  return /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/.test(href) ? href : undefined
}
