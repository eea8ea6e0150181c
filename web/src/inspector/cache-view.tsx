import { messageOf } from '../../../src/errors.ts'
import { Badge } from '../design/badge.tsx'
import { Fold } from '../design/fold.tsx'
import { Notice } from '../design/notice.tsx'
import { TextDiff } from './diff-view.tsx'
import { useInspection } from './inspection.tsx'
import { formatCount, formatPercent } from './model/format.ts'
import { partsOf, inputOf } from './model/ledger.ts'
import type { LogEvent } from './model/log.ts'
import { cacheSteps, type CacheStep, type SentRequest } from './model/prompt-cache.ts'
import type { RecordedTurn } from './model/recorded-turns.ts'
import { useRequests } from './requests.ts'

/** How much of each request began as the one before it did, and what broke it where it did not. */
export function CacheView({
  turn,
  inferenceId,
}: {
  readonly turn: RecordedTurn | undefined
  readonly inferenceId: string
}) {
  const { sessionId, events, turns } = useInspection()
  const own = useRequests(sessionId, turn?.turnId, events)
  const before = useRequests(sessionId, turn?.base, events)
  const requests = [...(before.data ?? []), ...(own.data ?? [])].filter(({ body }) => body !== null)
  const steps = cacheSteps(requests, turns).filter(({ step }) => step.request.inferenceId === inferenceId)
  return (
    <section aria-label="Prompt cache">
      <h3 className="mb-1 text-sm font-semibold">Prompt cache</h3>
      {own.error !== null && <Notice tone="negative">{messageOf(own.error)}</Notice>}
      {steps.length === 0 ? (
        <p className="text-sm text-ink-faint">There is no request to look at.</p>
      ) : (
        <ol className="space-y-2">
          {steps.map(({ step, previous }) => (
            <li key={step.request.ordinal}>
              <Step step={step} previous={previous} usage={usageOf(events, step.request)} />
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

function Step({
  step,
  previous,
  usage,
}: {
  readonly step: CacheStep
  readonly previous: SentRequest | undefined
  readonly usage: ReturnType<typeof partsOf> | undefined
}) {
  const { pieces, stablePieces, characters, stableCharacters, broken, request } = step
  const share = characters === 0 ? 0 : stableCharacters / characters
  return (
    <div className="rounded-xl border bg-surface p-3 text-sm">
      <p className="flex flex-wrap items-center gap-2">
        <span className="font-medium">{request.model}</span>
        <span className="font-mono text-xs text-ink-faint">#{request.ordinal}</span>
        {previous === undefined ? (
          <span className="text-ink-faint">the first request of the session</span>
        ) : (
          <>
            <Badge tone={broken === undefined ? 'positive' : 'caution'}>
              {broken === undefined ? 'goes on' : 'broken'}
            </Badge>
            <span>
              {formatPercent(share)} begins as before: {stablePieces} of {pieces} pieces,{' '}
              {formatCount(stableCharacters)} of {formatCount(characters)} characters
            </span>
          </>
        )}
      </p>
      <svg className="my-2 h-2 w-full rounded-full" aria-hidden>
        <rect width="100%" height="100%" className="fill-hover" />
        <rect
          width={`${share * 100}%`}
          height="100%"
          className={broken === undefined ? 'fill-positive' : 'fill-caution'}
        />
      </svg>
      {usage !== undefined && (
        <p className="text-xs text-ink-faint">
          The provider read {formatCount(usage.cacheRead)} of {formatCount(inputOf(usage))} tokens from its cache
          {usage.cacheWrite > 0 && ` and kept ${formatCount(usage.cacheWrite)}`}.
        </p>
      )}
      {broken !== undefined && (
        <>
          <p data-testid="cache-break">
            First change at <span className="font-mono">{broken.place}</span>
            {broken.block === undefined ? (
              ': the turn begins the same, so it is the tools, the settings or a view of the turn that nobody recorded.'
            ) : (
              <>
                , block {broken.block.index}
                {broken.block.by === undefined ? (
                  '.'
                ) : (
                  <>
                    , {broken.block.by.act} by <span className="font-medium">{broken.block.by.by}</span>{' '}
                    <span className="font-mono text-xs text-ink-faint">#{broken.block.by.ordinal}</span>
                  </>
                )}
              </>
            )}
          </p>
          <Fold head="What it was, and what it is">
            <TextDiff before={broken.before} after={broken.after} what={broken.place} />
          </Fold>
        </>
      )}
    </div>
  )
}

function usageOf(events: readonly LogEvent[], { providerCallId }: SentRequest) {
  const end = events.find((event) => event.type === 'provider-call-finished' && event.providerCallId === providerCallId)
  return end?.type === 'provider-call-finished' && end.result.usage ? partsOf(end.result.usage) : undefined
}
