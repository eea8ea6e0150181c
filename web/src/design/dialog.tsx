import { lazy, Suspense, useState, type ReactNode } from 'react'

export interface DialogProps {
  readonly title: string
  /** Default `window`: in the middle of the screen; `drawer`: at the left edge, over its whole height. */
  readonly shape?: 'window' | 'drawer'
  readonly isTitleShown?: boolean
  readonly isOpen: boolean
  readonly onClose: () => void
  readonly children: ReactNode
}

// Loaded when the first one is opened: a page does not wait for it.
const Popup = lazy(async () => ({ default: (await import('./dialog-popup.tsx')).DialogPopup }))

/** Something that has to be seen to before anything else. Escape and a click beside it close it. */
export function Dialog(props: DialogProps) {
  const [wasOpened, setWasOpened] = useState(props.isOpen)
  if (props.isOpen && !wasOpened) setWasOpened(true)
  if (!wasOpened) return null
  return (
    <Suspense>
      <Popup {...props} />
    </Suspense>
  )
}
