import {
  cloneElement,
  lazy,
  Suspense,
  useRef,
  useState,
  type ButtonHTMLAttributes,
  type ReactElement,
  type ReactNode,
  type RefAttributes,
} from 'react'

// The parts of menus are loaded when the first one is opened, or about to be: a page does not wait for them.
const load = () => import('./menu-popup.tsx')
const Popup = lazy(async () => ({ default: (await load()).MenuPopup }))
export const MenuItem = lazy(async () => ({ default: (await load()).MenuItem }))

export interface Choice<Value extends string> {
  readonly value: Value
  readonly label: string
  readonly detail?: string
}

export interface ChoicesProps<Value extends string> {
  readonly value: Value
  readonly choices: readonly Choice<Value>[]
  readonly onChoose: (value: Value) => void
}

const Choices = lazy(async () => ({ default: (await load()).MenuChoices }))

/** One of several, of which one holds. */
export function MenuChoices<Value extends string>({ onChoose, ...props }: ChoicesProps<Value>) {
  return <Choices {...props} onChoose={(value) => onChoose(value as Value)} /> // it is one of the choices
}

type Trigger = ReactElement<ButtonHTMLAttributes<HTMLButtonElement> & RefAttributes<HTMLButtonElement>>

/** A menu that opens from a button. */
export function Menu({ trigger, children }: { readonly trigger: Trigger; readonly children: ReactNode }) {
  const [isOpen, setIsOpen] = useState(false)
  const [wasOpened, setWasOpened] = useState(false)
  const anchor = useRef<HTMLButtonElement>(null)
  // A press on the button closes the menu as one beside it does: the click that follows must not open it again.
  const wasOpen = useRef(false)
  const [isByKeyboard, setIsByKeyboard] = useState(false)
  const open = (shown: boolean, byKey = false) => {
    setIsOpen(shown)
    setIsByKeyboard(byKey)
    if (shown) setWasOpened(true)
  }
  return (
    <>
      {cloneElement(trigger, {
        ref: anchor,
        'aria-haspopup': 'menu',
        'aria-expanded': isOpen,
        onPointerEnter: () => void load(),
        onFocus: () => void load(),
        onPointerDown: () => {
          wasOpen.current = isOpen
        },
        onClick: ({ detail }) => {
          open(!wasOpen.current, detail === 0)
          wasOpen.current = false
        },
        onKeyDown: (event) => {
          if (event.key !== 'ArrowDown') return
          event.preventDefault()
          open(true, true)
        },
      })}
      {wasOpened && (
        <Suspense>
          <Popup anchor={anchor} isOpen={isOpen} isByKeyboard={isByKeyboard} onOpenChange={(shown) => open(shown)}>
            {children}
          </Popup>
        </Suspense>
      )}
    </>
  )
}
