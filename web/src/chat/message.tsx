import { useState, type KeyboardEvent } from 'react'
import type { ImagePart } from 'geppetto/turns'
import type { MessageEntity } from 'geppetto/timeline'
import { messageOf } from '../../../src/errors.ts'
import { Button, IconButton } from '../design/button.tsx'
import { CopyButton } from '../design/copy.tsx'
import { TextArea } from '../design/field.tsx'
import { Icon } from '../design/icon.tsx'
import type { Asking } from './conversation.tsx'
import { ownImage } from './markdown/links.ts'
import { Markdown } from './markdown/markdown.tsx'
import { Versions } from './versions.tsx'

const bubble = 'w-fit max-w-full rounded-2xl rounded-br-md bg-bubble px-4 py-2 wrap-anywhere whitespace-pre-wrap'

/** What a person said: it can be copied, edited and sent again. */
export function UserMessage({ entity, asking }: { readonly entity: MessageEntity; readonly asking: Asking }) {
  const { editing, edit, sessionId } = asking
  if (editing === entity.id) return <Editor entity={entity} asking={asking} />
  return (
    <article aria-label="You" className="group flex flex-col items-end pl-8 sm:pl-16">
      <Images images={entity.images ?? []} />
      {entity.text !== '' && <div className={bubble}>{entity.text}</div>}
      <div className="mt-1 -mb-2 flex h-7 items-center gap-0.5">
        <div className="flex gap-0.5 opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100">
          <CopyButton text={entity.text} what="message" />
          <IconButton size="small" icon="edit" label="Edit and send again" onClick={() => edit(entity.id)} />
        </div>
        <Versions sessionId={sessionId} message={entity} isFirstOwn={asking.firstOwnId === entity.id} />
      </div>
    </article>
  )
}

/** What was sent and is not in the log yet. */
export function PendingMessage({ prompt }: { readonly prompt: string }) {
  return (
    <article aria-label="You, being sent" className="flex flex-col items-end pl-8 sm:pl-16">
      <div className={`${bubble} opacity-60`}>{prompt === '' ? 'An image' : prompt}</div>
      <p className="mt-1 text-xs text-ink-faint">Sending…</p>
    </article>
  )
}

export function AssistantMessage({ entity }: { readonly entity: MessageEntity }) {
  return (
    <article aria-label="Answer">
      <Markdown text={entity.text} isStreaming={entity.isStreaming} />
    </article>
  )
}

function Editor({ entity, asking }: { readonly entity: MessageEntity; readonly asking: Asking }) {
  const [text, setText] = useState(entity.text)
  const [problem, setProblem] = useState<string>()
  const [isSending, setIsSending] = useState(false)
  const close = () => asking.edit(undefined)
  const send = () => {
    if (text.trim() === '' || isSending) return
    setIsSending(true)
    asking.again(entity, text).then(close, (error: unknown) => {
      setIsSending(false)
      setProblem(messageOf(error))
    })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') close()
    else if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) send()
    else return
    event.preventDefault()
  }
  return (
    <div className="rounded-2xl border bg-surface p-3">
      <TextArea
        // Whoever asked for it is about to write.
        // oxlint-disable-next-line jsx-a11y/no-autofocus
        autoFocus
        label="Edit message"
        value={text}
        onFocus={({ target }) => target.setSelectionRange(target.value.length, target.value.length)}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        className="field-sizing-content max-h-[40dvh] text-[15px]!"
      />
      {problem !== undefined && (
        <p role="alert" className="mt-1 text-sm text-negative">
          {problem}
        </p>
      )}
      <div className="mt-2 flex items-center justify-end gap-2">
        <span className="mr-auto text-xs text-ink-faint">The conversation as it was stays as another version.</span>
        <Button onClick={close}>Cancel</Button>
        <Button tone="accent" disabled={isSending || text.trim() === ''} onClick={send}>
          Send
        </Button>
      </div>
    </div>
  )
}

function Images({ images }: { readonly images: readonly ImagePart[] }) {
  if (images.length === 0) return null
  return (
    <div className="mb-1 flex flex-wrap justify-end gap-2">
      {images.map((image, index) => (
        <Image key={index} image={image} name={`Image ${index + 1}`} />
      ))}
    </div>
  )
}

function Image({ image, name }: { readonly image: ImagePart; readonly name: string }) {
  const url = 'content' in image ? dataUrl(image.media_type, image.content) : 'url' in image ? image.url : ''
  const own = ownImage(url)
  if (own !== undefined) return <img src={own} alt={name} className="max-h-64 rounded-xl border" />
  // Only the provider looks at it.
  return (
    <span className="inline-flex items-center gap-1 rounded-lg border px-2 py-1 text-sm text-ink-soft">
      <Icon name="attach" size={15} />
      {url === '' ? name : url}
    </span>
  )
}

function dataUrl(mediaType: string, content: string): string {
  return content.startsWith('data:') ? content : `data:${mediaType};base64,${content}`
}
