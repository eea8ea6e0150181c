import { Menu as BaseMenu } from '@base-ui/react/menu'
import type { FocusEvent, ReactNode, RefObject } from 'react'
import { classes } from './classes.ts'
import { Icon, type IconName } from './icon.tsx'
import type { ChoicesProps } from './menu.tsx'

const popup =
  'z-50 max-h-(--available-height) min-w-44 max-w-[min(22rem,calc(100vw-1rem))] animate-appear overflow-y-auto rounded-xl border bg-surface p-1 shadow-float outline-none'
const item =
  'flex w-full cursor-pointer items-center gap-2 rounded-lg px-2.5 py-1.5 text-sm text-ink outline-none select-none data-highlighted:bg-hover data-disabled:opacity-45'

export function MenuPopup({
  anchor,
  isOpen,
  isByKeyboard,
  onOpenChange,
  children,
}: {
  readonly anchor: RefObject<HTMLElement | null>
  readonly isOpen: boolean
  /** Whether it was opened by a key: then the first item has the keyboard. */
  readonly isByKeyboard: boolean
  readonly onOpenChange: (isOpen: boolean) => void
  readonly children: ReactNode
}) {
  const onFocus = ({ target, currentTarget }: FocusEvent<HTMLElement>) => {
    if (!isByKeyboard || target !== currentTarget) return
    currentTarget.querySelector<HTMLElement>('[role^="menuitem"]')?.focus()
  }
  return (
    <BaseMenu.Root modal={false} open={isOpen} onOpenChange={onOpenChange}>
      <BaseMenu.Portal>
        <BaseMenu.Positioner anchor={anchor} sideOffset={6} align="start" className="z-50">
          <BaseMenu.Popup finalFocus={anchor} onFocus={onFocus} className={popup}>
            {children}
          </BaseMenu.Popup>
        </BaseMenu.Positioner>
      </BaseMenu.Portal>
    </BaseMenu.Root>
  )
}

export function MenuItem({
  icon,
  onSelect,
  isNegative = false,
  children,
}: {
  readonly icon: IconName
  readonly onSelect: () => void
  readonly isNegative?: boolean
  readonly children: ReactNode
}) {
  return (
    <BaseMenu.Item onClick={onSelect} className={classes(item, isNegative && 'text-negative')}>
      <Icon name={icon} size={16} />
      {children}
    </BaseMenu.Item>
  )
}

export function MenuChoices({ value, choices, onChoose }: ChoicesProps<string>) {
  return (
    <BaseMenu.RadioGroup value={value} onValueChange={onChoose}>
      {choices.map((choice) => (
        <BaseMenu.RadioItem key={choice.value} value={choice.value} closeOnClick className={item}>
          <span className="min-w-0 flex-1">
            {choice.label}
            {choice.detail !== undefined && <span className="block text-xs text-ink-faint">{choice.detail}</span>}
          </span>
          <BaseMenu.RadioItemIndicator className="text-accent-ink">
            <Icon name="check" size={16} />
          </BaseMenu.RadioItemIndicator>
        </BaseMenu.RadioItem>
      ))}
    </BaseMenu.RadioGroup>
  )
}
