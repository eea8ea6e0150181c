import { useRef, useState, type DragEvent, type KeyboardEvent } from 'react'
import { IconButton } from '../design/button.tsx'
import { classes } from '../design/classes.ts'
import { Icon } from '../design/icon.tsx'
import { acceptedTypes, encodeDrafts, filesOf, useAttachments, type Draft } from './attachments.ts'
import { ProfileChoice } from './profile-choice.tsx'
import type { SendPrompt } from './send.ts'

/** Where a prompt is written. `draftName` is what its text is kept under, so that a reload does not lose it. */
export function Composer({
  draftName,
  isAnswering,
  onSend,
  onStop,
  onEditLast,
}: {
  readonly draftName: string
  readonly isAnswering: boolean
  readonly onSend: SendPrompt
  readonly onStop?: () => void
  /** The arrow up, in an empty composer. */
  readonly onEditLast?: () => void
}) {
  const [text, setText] = useDraft(draftName)
  const attachments = useAttachments()
  const [isDropping, setIsDropping] = useState(false)
  const picker = useRef<HTMLInputElement>(null)
  const isEmpty = text.trim() === '' && attachments.drafts.length === 0

  const send = async () => {
    if (isEmpty) return
    const encoded = await encodeDrafts(attachments.drafts)
    setText('')
    attachments.clear()
    onSend(text, encoded)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    // Whoever writes by an input method ends a word with Enter; whoever has no Shift needs it for lines.
    const isSend = event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing && !isTouch()
    if (isSend) void send()
    else if (event.key === 'Escape' && isAnswering) onStop?.()
    else if (event.key === 'ArrowUp' && isEmpty && onEditLast !== undefined) onEditLast()
    else return
    event.preventDefault()
  }
  const drop = {
    onDragOver(event: DragEvent) {
      event.preventDefault()
      setIsDropping(true)
    },
    onDragLeave: () => setIsDropping(false),
    onDrop(event: DragEvent) {
      event.preventDefault()
      setIsDropping(false)
      attachments.add(filesOf(event.dataTransfer))
    },
  }

  return (
    <div
      {...drop}
      className={classes(
        'mx-auto w-full max-w-3xl rounded-2xl border bg-surface shadow-low transition-colors focus-within:border-line-strong',
        isDropping && 'border-accent! bg-accent-wash',
      )}
    >
      {attachments.problem !== undefined && (
        <p role="alert" className="px-4 pt-2.5 text-sm text-negative">
          {attachments.problem}
        </p>
      )}
      <Drafts drafts={attachments.drafts} onRemove={attachments.remove} />
      <textarea
        // The page is there to be written to.
        // oxlint-disable-next-line jsx-a11y/no-autofocus
        autoFocus={!isTouch()}
        aria-label="Message"
        placeholder={isDropping ? 'Drop an image' : 'Message'}
        value={text}
        rows={1}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={(event) => {
          const files = filesOf(event.clipboardData)
          if (files.length === 0) return
          event.preventDefault()
          attachments.add(files)
        }}
        className="field-sizing-content block max-h-[40dvh] w-full resize-none bg-transparent px-4 pt-3 pb-1 outline-none placeholder:text-ink-faint"
      />
      <div className="flex items-center gap-1 p-2">
        <input
          ref={picker}
          type="file"
          accept={acceptedTypes}
          multiple
          className="hidden"
          aria-label="Images"
          onChange={(event) => {
            attachments.add([...(event.target.files ?? [])])
            event.target.value = ''
          }}
        />
        <IconButton icon="attach" label="Attach images" onClick={() => picker.current?.click()} />
        <ProfileChoice />
        <span className="flex-1" />
        {isAnswering && onStop !== undefined && (
          <IconButton icon="stop" label="Stop (Esc)" tone="plain" className="rounded-full!" onClick={onStop} />
        )}
        {(!isAnswering || !isEmpty) && (
          <IconButton
            icon={isAnswering ? 'queue' : 'send'}
            label={isAnswering ? 'Queue message (Enter)' : 'Send message (Enter)'}
            tone="accent"
            className="rounded-full!"
            disabled={isEmpty}
            onClick={() => void send()}
          />
        )}
      </div>
    </div>
  )
}

function Drafts({
  drafts,
  onRemove,
}: {
  readonly drafts: readonly Draft[]
  readonly onRemove: (draft: Draft) => void
}) {
  if (drafts.length === 0) return null
  return (
    <ul className="flex flex-wrap gap-2 px-3 pt-3" aria-label="Attached images">
      {drafts.map((draft) => (
        <li key={draft.url} className="relative">
          <img src={draft.url} alt={draft.file.name} className="size-16 rounded-lg border object-cover" />
          <button
            type="button"
            aria-label={`Remove ${draft.file.name}`}
            onClick={() => onRemove(draft)}
            className="absolute -top-2 -right-2 grid size-6 place-items-center rounded-full border bg-surface text-ink-soft hover:text-ink"
          >
            <Icon name="close" size={13} />
          </button>
        </li>
      ))}
    </ul>
  )
}

/** A text that outlives the page, and not the tab. */
function useDraft(name: string): readonly [text: string, set: (text: string) => void] {
  const key = `geppetto.draft.${name}`
  const [text, setText] = useState(() => sessionStorage.getItem(key) ?? '')
  const set = (next: string) => {
    setText(next)
    if (next === '') sessionStorage.removeItem(key)
    else sessionStorage.setItem(key, next)
  }
  return [text, set]
}

function isTouch(): boolean {
  return matchMedia('(pointer: coarse)').matches
}
