import type { ComponentProps } from 'react'
import { classes } from './classes.ts'

const field =
  'w-full rounded-lg border border-line-strong/60 bg-surface px-2.5 text-sm placeholder:text-ink-faint focus-visible:border-accent focus-visible:-outline-offset-1'

/** One line of text. `label` is its name; what stands in it while it is empty is `placeholder`. */
export function TextField({ label, className, ...props }: ComponentProps<'input'> & { readonly label: string }) {
  return <input aria-label={label} className={classes(field, 'h-8', className)} {...props} />
}

/** Lines of text or of code. */
export function TextArea({ label, className, ...props }: ComponentProps<'textarea'> & { readonly label: string }) {
  return <textarea aria-label={label} className={classes(field, 'py-1.5', className)} {...props} />
}
