import { useSyncExternalStore } from 'react'
import { Icon } from '../design/icon.tsx'
import { Menu, MenuChoices } from '../design/menu.tsx'
import { useProfiles } from '../session/queries.ts'

const key = 'geppetto.profile'
const listeners = new Set<() => void>()

function chosenProfile(): string {
  return localStorage.getItem(key) ?? ''
}

function chooseProfile(slug: string): void {
  localStorage.setItem(key, slug)
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Who is to answer: the profile that was chosen last, unless the server has it no longer. */
export function useChosenProfile(): string | undefined {
  const chosen = useSyncExternalStore(subscribe, chosenProfile)
  const profiles = useProfiles()
  return profiles.find(({ slug }) => slug === chosen)?.slug ?? profiles[0]?.slug
}

export function ProfileChoice() {
  const profiles = useProfiles()
  const chosen = useChosenProfile()
  if (chosen === undefined) return null
  const choices = profiles.map(({ slug, description, tools }) => ({
    value: slug,
    label: slug,
    detail: [description, tools.map(({ name }) => name).join(', ')].filter(Boolean).join(' · '),
  }))
  return (
    <Menu
      trigger={
        <button
          type="button"
          title="Who answers"
          className="flex h-8 min-w-0 items-center gap-1 rounded-lg px-2 text-sm text-ink-soft hover:bg-hover hover:text-ink"
        >
          <span className="sr-only">Who answers: </span>
          <span className="truncate">{chosen}</span>
          <Icon name="chevron-down" size={14} />
        </button>
      }
    >
      <MenuChoices value={chosen} choices={choices} onChoose={chooseProfile} />
    </Menu>
  )
}
