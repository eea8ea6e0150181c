import { useState, type ReactNode } from 'react'
import { classes } from './classes.ts'
import { Icon } from './icon.tsx'

/** Something that can be unfolded. What is folded is not there. Who unfolds it keeps it so, whatever `isOpen` says later. */
export function Fold({
  head,
  isOpen = false,
  children,
}: {
  readonly head: ReactNode
  readonly isOpen?: boolean
  readonly children: ReactNode
}) {
  const [chosen, setChosen] = useState<boolean>()
  const open = chosen ?? isOpen
  return (
    <div>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setChosen(!open)}
        className="-ml-1.5 flex max-w-full items-center gap-1.5 rounded-md px-1.5 py-0.5 text-left text-sm text-ink-faint hover:bg-hover hover:text-ink"
      >
        <span className={classes('transition-transform', open && 'rotate-90')}>
          <Icon name="chevron-right" size={14} />
        </span>
        {head}
      </button>
      {open && children}
    </div>
  )
}
