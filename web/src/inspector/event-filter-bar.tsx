import { IconButton } from '../design/button.tsx'
import { classes } from '../design/classes.ts'
import { shortId } from '../design/copy.tsx'
import { TextField } from '../design/field.tsx'
import { dots } from './colors.ts'
import { useInspection } from './inspection.tsx'
import { formatCount } from './model/format.ts'
import { defaultGroups, eventGroups, type EventGroup } from './model/log.ts'
import { readGroups, useInspectSearch } from './search.ts'

/** Which events are listed. */
export function EventFilterBar({ shown }: { readonly shown: number }) {
  const { events } = useInspection()
  const [{ groups: named, q = '', within }, change] = useInspectSearch()
  const groups = readGroups(named) ?? defaultGroups
  const toggle = (group: EventGroup) => {
    const next = eventGroups.filter((each) => (each === group ? !groups.includes(each) : groups.includes(each)))
    const isDefault = next.length === defaultGroups.length && next.every((each) => defaultGroups.includes(each))
    change({ groups: isDefault ? undefined : next.join(',') || 'none' })
  }
  return (
    <div className="flex flex-wrap items-center gap-1.5 border-b px-3 py-1.5 sm:px-4">
      <TextField
        label="Search events"
        type="search"
        placeholder="Search types, ids, texts"
        value={q}
        className="max-w-56"
        onChange={(event) => change({ q: event.target.value })}
      />
      <fieldset className="contents">
        <legend className="sr-only">Groups of events</legend>
        {eventGroups.map((group) => (
          <button
            key={group}
            type="button"
            aria-pressed={groups.includes(group)}
            onClick={() => toggle(group)}
            className={classes(
              'inline-flex items-center gap-1.5 rounded-full border px-2 py-px text-xs',
              groups.includes(group) ? 'bg-hover text-ink' : 'text-ink-faint',
            )}
          >
            <span className={classes('size-2 rounded-full', groups.includes(group) ? dots[group] : 'bg-line')} />
            {group.replaceAll('-', ' ')}
          </button>
        ))}
      </fieldset>
      {within !== undefined && (
        <span className="inline-flex items-center rounded-full border pl-2 text-xs">
          only {shortId(within)}
          <IconButton icon="close" label="Show all" size="small" onClick={() => change({ within: undefined })} />
        </span>
      )}
      <span className="ml-auto text-xs text-ink-faint" role="status">
        {formatCount(shown)} of {formatCount(events.length)} events
      </span>
    </div>
  )
}
