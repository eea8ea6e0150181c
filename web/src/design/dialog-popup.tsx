import { Dialog as BaseDialog } from '@base-ui/react/dialog'
import { classes } from './classes.ts'
import type { DialogProps } from './dialog.tsx'

const shapes: Readonly<Record<NonNullable<DialogProps['shape']>, string>> = {
  window: 'top-1/2 left-1/2 w-[min(28rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 rounded-2xl border p-5',
  drawer: 'inset-y-0 left-0 w-[min(19rem,85vw)] border-r',
}

export function DialogPopup({ title, shape = 'window', isTitleShown = true, isOpen, onClose, children }: DialogProps) {
  return (
    <BaseDialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <BaseDialog.Portal>
        <BaseDialog.Backdrop className="fixed inset-0 z-40 bg-[oklch(0_0_0/0.4)]" />
        <BaseDialog.Popup className={classes('fixed z-50 bg-surface shadow-float outline-none', shapes[shape])}>
          <BaseDialog.Title className={isTitleShown ? 'mb-3 text-base font-semibold' : 'sr-only'}>
            {title}
          </BaseDialog.Title>
          {children}
        </BaseDialog.Popup>
      </BaseDialog.Portal>
    </BaseDialog.Root>
  )
}
