import { useEffect, useState } from 'react'
import type { Attachment } from 'geppetto/client'

const imageTypes = ['image/png', 'image/jpeg', 'image/gif', 'image/webp']
export const acceptedTypes = imageTypes.join(',')
/** What the server takes: bytes of one image, and how many there may be. */
const imageLimit = 5_242_880
const countLimit = 16

/** An image that is to go with the next prompt. */
export interface Draft {
  readonly file: File
  /** Where the page finds it. */
  readonly url: string
}

/** The images of a draft, and why some that were given are not among them. */
export function useAttachments() {
  const [drafts, setDrafts] = useState<readonly Draft[]>([])
  const [problem, setProblem] = useState<string>()
  useEffect(() => () => drafts.forEach(({ url }) => URL.revokeObjectURL(url)), [drafts])
  const show = (files: readonly File[]) => setDrafts(files.map((file) => ({ file, url: URL.createObjectURL(file) })))
  return {
    drafts,
    problem,
    add(files: readonly File[]) {
      const refused = files.map(problemOf).find((each) => each !== undefined)
      const all = [...drafts.map(({ file }) => file), ...files.filter((file) => problemOf(file) === undefined)]
      setProblem(all.length > countLimit ? `A message takes ${countLimit} images.` : refused)
      show(all.slice(0, countLimit))
    },
    remove: (draft: Draft) => show(drafts.flatMap(({ file }) => (file === draft.file ? [] : [file]))),
    clear() {
      setProblem(undefined)
      show([])
    },
  }
}

function problemOf(file: File): string | undefined {
  if (!imageTypes.includes(file.type))
    return `${file.name} is no image that a model can be shown: PNG, JPEG, GIF or WebP.`
  return file.size > imageLimit ? `${file.name} is larger than 5 MB.` : undefined
}

/** The images as the server takes them. */
export function encodeDrafts(drafts: readonly Draft[]): Promise<readonly Attachment[]> {
  return Promise.all(
    drafts.map(async ({ file }): Promise<Attachment> => {
      const bytes = new Uint8Array(await file.arrayBuffer())
      let binary = ''
      for (const byte of bytes) binary += String.fromCharCode(byte)
      return { type: 'image', mediaType: file.type, data: btoa(binary) }
    }),
  )
}

/** The files of a paste or a drop. */
export function filesOf(data: DataTransfer | null): readonly File[] {
  return [...(data?.files ?? [])]
}
