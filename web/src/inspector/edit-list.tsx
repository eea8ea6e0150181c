import { Badge } from '../design/badge.tsx'
import { Fold } from '../design/fold.tsx'
import { changeTones, DiffRow } from './diff-view.tsx'
import { countChanges } from './model/compare.ts'
import type { RecordedEdit, RecordedTurn } from './model/recorded-turns.ts'

/** Who touched the turn on its way to the model and back, in their order, and what each did to it. */
export function EditList({ turn: { edits } }: { readonly turn: RecordedTurn }) {
  if (edits.length === 0)
    return <p className="text-sm text-ink-faint">No middleware and nobody else touched this turn.</p>
  return (
    <section aria-label="Who touched what" className="rounded-xl border bg-surface p-3">
      <h3 className="mb-1 text-sm font-semibold">Who touched what</h3>
      <ol className="space-y-1">
        {edits.map((edit) => (
          <li key={edit.ordinal}>
            <Fold head={<EditHead edit={edit} />}>
              <div className="my-2 space-y-2">
                {edit.rows.map((row) => (
                  <DiffRow key={`${row.change} ${row.change === 'removed' ? `-${row.before}` : row.after}`} row={row} />
                ))}
                {[...edit.data, ...edit.metadata].map((key) => (
                  <p key={key} className="font-mono text-xs text-ink-soft">
                    set {key}
                  </p>
                ))}
              </div>
            </Fold>
          </li>
        ))}
      </ol>
    </section>
  )
}

function EditHead({ edit: { by, ordinal, rows, data, metadata } }: { readonly edit: RecordedEdit }) {
  const counts = countChanges(rows)
  const keys = data.length + metadata.length
  return (
    <span className="flex flex-wrap items-center gap-1.5">
      <span className="font-medium text-ink">{by}</span>
      {(['removed', 'added', 'changed', 'moved'] as const)
        .filter((change) => counts[change] > 0)
        .map((change) => (
          <Badge key={change} tone={changeTones[change]}>
            {change} {counts[change]} {counts[change] === 1 ? 'block' : 'blocks'}
          </Badge>
        ))}
      {keys > 0 && <Badge>{keys === 1 ? 'set 1 key' : `set ${keys} keys`}</Badge>}
      <span className="font-mono text-xs">#{ordinal}</span>
    </span>
  )
}
