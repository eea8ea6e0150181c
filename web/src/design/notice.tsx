import type { ReactNode } from 'react'
import { classes } from './classes.ts'
import { Icon, type IconName } from './icon.tsx'
import type { Tone } from './badge.tsx'

const tones: Readonly<Record<Tone, string>> = {
  neutral: 'border-line bg-sunken text-ink-soft',
  accent: 'border-accent/30 bg-accent-wash text-accent-ink',
  positive: 'border-positive/30 bg-positive-wash text-positive',
  caution: 'border-caution/30 bg-caution-wash text-caution',
  negative: 'border-negative/30 bg-negative-wash text-negative',
}

/** Something that whoever looks should know, with what they can do about it in `actions`. */
export function Notice({
  tone = 'neutral',
  icon = 'warning',
  children,
  actions,
}: {
  readonly tone?: Tone
  readonly icon?: IconName
  readonly children: ReactNode
  readonly actions?: ReactNode
}) {
  return (
    <div
      className={classes(
        'flex flex-wrap items-center gap-x-3 gap-y-2 rounded-xl border px-3 py-2 text-sm',
        tones[tone],
      )}
    >
      <Icon name={icon} size={17} />
      <div className="min-w-0 flex-1 basis-48 wrap-anywhere">{children}</div>
      {actions}
    </div>
  )
}
