import type { ComponentProps } from 'react'
import { classes } from './classes.ts'
import { Icon, type IconName } from './icon.tsx'

export type ButtonTone = 'accent' | 'plain' | 'quiet' | 'negative'

const base =
  'inline-flex shrink-0 items-center justify-center gap-1.5 rounded-lg font-medium select-none transition-colors disabled:opacity-45'
const tones: Readonly<Record<ButtonTone, string>> = {
  accent: 'bg-accent text-white not-disabled:hover:bg-accent-hover',
  plain: 'border bg-surface text-ink not-disabled:hover:bg-sunken',
  quiet: 'text-ink-soft not-disabled:hover:bg-hover not-disabled:hover:text-ink',
  negative: 'border border-negative/40 bg-surface text-negative not-disabled:hover:bg-negative-wash',
}

export interface ButtonProps extends ComponentProps<'button'> {
  /** Default `plain`. */
  readonly tone?: ButtonTone
  readonly icon?: IconName
}

/** A button with words. */
export function Button({ tone = 'plain', icon, children, className, ...props }: ButtonProps) {
  return (
    <button type="button" className={classes(base, tones[tone], 'h-8 px-3 text-sm', className)} {...props}>
      {icon !== undefined && <Icon name={icon} size={16} />}
      {children}
    </button>
  )
}

export interface IconButtonProps extends Omit<ComponentProps<'button'>, 'children' | 'aria-label'> {
  readonly icon: IconName
  /** What it does: its name, and what is shown when the pointer rests on it. */
  readonly label: string
  /** Default `quiet`. */
  readonly tone?: ButtonTone
  /** Default `medium`: 32 px; `small`: 26 px, for rows of actions. */
  readonly size?: 'small' | 'medium'
}

/** A button with a drawing. */
export function IconButton({ icon, label, tone = 'quiet', size = 'medium', className, ...props }: IconButtonProps) {
  const measure = size === 'small' ? 'size-6.5 rounded-md' : 'size-8'
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={classes(base, tones[tone], measure, className)}
      {...props}
    >
      <Icon name={icon} size={size === 'small' ? 15 : 18} />
    </button>
  )
}
