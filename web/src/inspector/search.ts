import { useNavigate, useSearch } from '@tanstack/react-router'
import { eventGroups, type EventGroup } from './model/log.ts'

/** What is looked at, as the address says it: whoever opens the address sees the same. */
export interface InspectSearch {
  /** The event that is selected: an ordinal, or any id that it carries. */
  readonly at?: string
  /** How much of the time axis is seen, in milliseconds; all of it when absent. */
  readonly span?: number
  /** Where what is seen ends, in milliseconds of the axis; at its end when absent, which moves along. */
  readonly to?: number
  /** The groups of events that are shown, with commas; see `defaultGroups`. */
  readonly groups?: string
  /** What is searched for. */
  readonly q?: string
  /** The turn or inference whose events alone are shown. */
  readonly within?: string
  /** The state of a turn that is shown, and what it is compared with: a key, or `turn/key`. */
  readonly phase?: string
  readonly against?: string
  /** The other session of a comparison, and a turn of each. */
  readonly other?: string
  readonly left?: string
  readonly right?: string
}

export function readSearch(search: Readonly<Record<string, unknown>>): InspectSearch {
  const texts = ['at', 'groups', 'q', 'within', 'phase', 'against', 'other', 'left', 'right'] as const
  const numbers = ['span', 'to'] as const
  return {
    ...Object.fromEntries(texts.flatMap((name) => (isText(search[name]) ? [[name, String(search[name])]] : []))),
    ...Object.fromEntries(numbers.flatMap((name) => (Number(search[name]) > 0 ? [[name, Number(search[name])]] : []))),
  }
}

function isText(value: unknown): value is string | number {
  return typeof value === 'number' || (typeof value === 'string' && value !== '')
}

export type ChangeSearch = (change: { readonly [Name in keyof InspectSearch]: InspectSearch[Name] | undefined }) => void

/** What the address says, and how to change it. Undefined takes something out. */
export function useInspectSearch(): readonly [search: InspectSearch, change: ChangeSearch] {
  const search = readSearch(useSearch({ strict: false }))
  const navigate = useNavigate()
  const change: ChangeSearch = (made) =>
    void navigate({ to: '.', search: (before) => readSearch({ ...before, ...made }), replace: true })
  return [search, change]
}

export function readGroups(groups: string | undefined): readonly EventGroup[] | undefined {
  return groups === undefined ? undefined : eventGroups.filter((group) => groups.split(',').includes(group))
}
