import { useEffect, useEffectEvent, useRef, useState, type ReactNode } from 'react'
import { Link, useNavigate } from '@tanstack/react-router'
import { IconButton } from '../design/button.tsx'
import { Dialog } from '../design/dialog.tsx'
import { Icon } from '../design/icon.tsx'
import { Menu, MenuChoices } from '../design/menu.tsx'
import { useTheme, type Theme } from '../design/theme.ts'
import { SessionList } from './session-list.tsx'

const sidebarKey = 'geppetto.sidebar'

/** What all pages of the chat have: the conversations beside, a line above, the page below it. */
export function Shell({
  sessionId,
  title,
  head,
  children,
}: {
  readonly sessionId?: string
  readonly title: string
  /** At the end of the line above. */
  readonly head?: ReactNode
  readonly children: ReactNode
}) {
  const [isWide, setIsWide] = useState(() => localStorage.getItem(sidebarKey) !== 'closed')
  const [isDrawerOpen, setIsDrawerOpen] = useState(false)
  const search = useRef<HTMLInputElement>(null)
  const navigate = useNavigate()
  const showSidebar = (isShown: boolean) => {
    localStorage.setItem(sidebarKey, isShown ? 'open' : 'closed')
    setIsWide(isShown)
  }
  useKeys({
    k() {
      if (matchMedia('(width < 48rem)').matches) setIsDrawerOpen(true)
      else showSidebar(true)
      requestAnimationFrame(() => search.current?.focus())
    },
    o: () => void navigate({ to: '/' }),
  })
  useEffect(() => {
    document.title = title === '' ? 'Geppetto' : `${title} · Geppetto`
  }, [title])

  return (
    <div className="flex h-full">
      {isWide && (
        <aside className="hidden w-68 shrink-0 flex-col border-r bg-sunken md:flex" aria-label="Side bar">
          <SidebarHead onClose={() => showSidebar(false)} />
          <SessionList current={sessionId} search={search} />
        </aside>
      )}
      <Dialog
        title="Conversations"
        isTitleShown={false}
        shape="drawer"
        isOpen={isDrawerOpen}
        onClose={() => setIsDrawerOpen(false)}
      >
        <div className="flex h-full flex-col">
          <SidebarHead onClose={() => setIsDrawerOpen(false)} onChosen={() => setIsDrawerOpen(false)} />
          <SessionList current={sessionId} search={search} onChosen={() => setIsDrawerOpen(false)} />
        </div>
      </Dialog>
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="flex h-13 shrink-0 items-center gap-1 px-2">
          <span className="md:hidden">
            <IconButton icon="menu" label="Conversations" onClick={() => setIsDrawerOpen(true)} />
          </span>
          {!isWide && (
            <span className="hidden md:block">
              <IconButton icon="sidebar" label="Show side bar" onClick={() => showSidebar(true)} />
            </span>
          )}
          <h1 className="min-w-0 flex-1 truncate px-2 text-sm font-medium">{title === '' ? 'Geppetto' : title}</h1>
          {head}
          <ThemeChoice />
        </header>
        <main className="flex min-h-0 flex-1 flex-col">{children}</main>
      </div>
    </div>
  )
}

function SidebarHead({ onClose, onChosen }: { readonly onClose: () => void; readonly onChosen?: () => void }) {
  return (
    <div className="flex flex-col gap-2 px-3 pt-2.5 pb-2">
      <div className="flex h-8 items-center justify-between">
        <span className="flex items-center gap-2 px-1 font-semibold">
          <span className="text-accent-ink">
            <Icon name="spark" size={17} />
          </span>
          Geppetto
        </span>
        <IconButton icon="sidebar" label="Hide side bar" onClick={onClose} />
      </div>
      <Link
        to="/"
        onClick={onChosen}
        className="flex h-9 items-center gap-2 rounded-lg border bg-surface px-2.5 text-sm font-medium hover:border-line-strong"
      >
        <Icon name="add" size={16} />
        New conversation
      </Link>
    </div>
  )
}

const themes: readonly { readonly value: Theme; readonly label: string }[] = [
  { value: 'system', label: 'As the system' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
]
const themeIcons = { system: 'system', light: 'sun', dark: 'moon' } as const

function ThemeChoice() {
  const [theme, choose] = useTheme()
  return (
    <Menu trigger={<IconButton icon={themeIcons[theme]} label="Theme" />}>
      <MenuChoices value={theme} choices={themes} onChoose={choose} />
    </Menu>
  )
}

/** What Ctrl, or Command, does together with a letter; for `o` with Shift too, for browsers have the other. */
function useKeys(keys: { readonly k: () => void; readonly o: () => void }): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (!event.ctrlKey && !event.metaKey) return
    const key = event.key.toLowerCase()
    if (key === 'k' && !event.shiftKey) keys.k()
    else if (key === 'o' && event.shiftKey) keys.o()
    else return
    event.preventDefault()
  })
  useEffect(() => {
    const listener = (event: KeyboardEvent) => onKey(event)
    addEventListener('keydown', listener)
    return () => removeEventListener('keydown', listener)
  }, [])
}
