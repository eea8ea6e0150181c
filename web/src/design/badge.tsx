import type { ReactNode } from 'react'
import { classes } from './classes.ts'

export type Tone = 'neutral' | 'accent' | 'positive' | 'caution' | 'negative'

const tones: Readonly<Record<Tone, string>> = {
  neutral: 'bg-hover text-ink-soft',
  accent: 'bg-accent-wash text-accent-ink',
  positive: 'bg-positive-wash text-positive',
  caution: 'bg-caution-wash text-caution',
  negative: 'bg-negative-wash text-negative',
}

/** A word or two about a state. `isLive`: it is going on now. */
export function Badge({
  tone = 'neutral',
  isLive = false,
  children,
}: {
  readonly tone?: Tone
  readonly isLive?: boolean
  readonly children: ReactNode
}) {
  return (
    <span
      className={classes(
        'inline-flex items-center gap-1.5 rounded-full px-2 py-px text-xs font-medium whitespace-nowrap',
        tones[tone],
      )}
    >
      {isLive && <span className="size-1.5 animate-breathe rounded-full bg-current" />}
      {children}
    </span>
  )
}
