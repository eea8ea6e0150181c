import { Badge, type Tone } from '../design/badge.tsx'
import { Fold } from '../design/fold.tsx'
import { useInspection } from './inspection.tsx'
import type { Severity } from './model/anomalies.ts'

const tones: Readonly<Record<Severity, Tone>> = { error: 'negative', warning: 'caution', info: 'neutral' }
/** More than anyone reads; the first ones lead to the rest. */
const mostShown = 200

/** What the rules have found; nothing when they have found nothing. */
export function AnomalyList({ onSelect }: { readonly onSelect: (ordinal: number) => void }) {
  const { anomalies } = useInspection()
  if (anomalies.length === 0) return null
  const worst = anomalies.some(({ severity }) => severity === 'error') ? 'negative' : 'caution'
  return (
    <section aria-label="Anomalies" className="border-b px-3 py-1.5 sm:px-4">
      <Fold
        head={
          <Badge tone={worst}>
            {anomalies.length} {anomalies.length === 1 ? 'anomaly' : 'anomalies'}
          </Badge>
        }
      >
        <ul className="mt-1 max-h-48 overflow-y-auto">
          {anomalies.slice(0, mostShown).map(({ rule, severity, ordinal, message }, index) => (
            <li key={`${rule}.${ordinal}.${index}`}>
              <button
                type="button"
                onClick={() => onSelect(ordinal)}
                className="flex w-full items-baseline gap-2 rounded-md px-1.5 py-1 text-left text-sm hover:bg-hover"
              >
                <Badge tone={tones[severity]}>{rule.replaceAll('-', ' ')}</Badge>
                <span className="min-w-0 flex-1 wrap-anywhere">{message}</span>
                <span className="font-mono text-xs text-ink-faint">#{ordinal}</span>
              </button>
            </li>
          ))}
        </ul>
      </Fold>
    </section>
  )
}
