import { useSyncExternalStore } from 'react'

/** `system`: as the machine has it. */
export type Theme = 'system' | 'light' | 'dark'

const key = 'geppetto.theme'
const listeners = new Set<() => void>()

function storedTheme(): Theme {
  const stored = localStorage.getItem(key)
  return stored === 'light' || stored === 'dark' ? stored : 'system'
}

/** Shows the page in the theme that was chosen, in this tab and, when it is chosen in another one, then. */
export function startTheme(): void {
  const show = () => {
    document.documentElement.dataset['theme'] = storedTheme()
    for (const listener of listeners) listener()
  }
  addEventListener('storage', (event) => event.key === key && show())
  listeners.add(() => (document.documentElement.dataset['theme'] = storedTheme()))
  show()
}

export function useTheme(): readonly [theme: Theme, choose: (theme: Theme) => void] {
  const theme = useSyncExternalStore((listener) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }, storedTheme)
  const choose = (next: Theme) => {
    localStorage.setItem(key, next)
    for (const listener of listeners) listener()
  }
  return [theme, choose]
}
