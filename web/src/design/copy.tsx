import { useEffect, useState } from 'react'
import { classes } from './classes.ts'
import { IconButton } from './button.tsx'
import { Icon } from './icon.tsx'

const saidMs = 1_500

/** Copies, and whether that was a moment ago. */
function useCopy(): readonly [isCopied: boolean, copy: (text: string) => void] {
  const [copiedAt, setCopiedAt] = useState(0)
  useEffect(() => {
    if (copiedAt === 0) return
    const timer = setTimeout(() => setCopiedAt(0), saidMs)
    return () => clearTimeout(timer)
  }, [copiedAt])
  const copy = (text: string) => void navigator.clipboard.writeText(text).then(() => setCopiedAt(performance.now()))
  return [copiedAt !== 0, copy]
}

/** Copies a text. `what` is its name, as in “Copy answer”. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [isCopied, copy] = useCopy()
  const label = isCopied ? 'Copied' : `Copy ${what}`
  return <IconButton size="small" icon={isCopied ? 'check' : 'copy'} label={label} onClick={() => copy(text)} />
}

/** An id that can be copied: what it is of, and its end, by which people tell ids of the same time apart. */
export function IdChip({ of, id }: { readonly of: string; readonly id: string }) {
  const [isCopied, copy] = useCopy()
  return (
    <button
      type="button"
      title={`Copy ${of} ${id}`}
      onClick={() => copy(id)}
      className="inline-flex items-center gap-1 rounded-md border bg-surface px-1.5 py-px font-mono text-xs text-ink-soft hover:border-line-strong hover:text-ink"
    >
      <span className="font-sans text-ink-faint">
        <span className="sr-only">Copy </span>
        {of}
      </span>
      <span className={classes(isCopied && 'text-positive')}>{isCopied ? 'copied' : shortId(id)}</span>
      <Icon name={isCopied ? 'check' : 'copy'} size={12} />
    </button>
  )
}

/** The end of an id. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : `…${id.slice(-8)}`
}
