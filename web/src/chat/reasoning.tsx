import type { ReasoningEntity } from 'geppetto/timeline'
import { Fold } from '../design/fold.tsx'
import { Icon } from '../design/icon.tsx'
import { Markdown } from './markdown/markdown.tsx'

/** What the model thought: open while it does, folded afterwards. */
export function Reasoning({ entity }: { readonly entity: ReasoningEntity }) {
  const { isStreaming, isPartial } = entity
  const head = (
    <>
      <Icon name="think" size={15} />
      <span className={isStreaming ? 'animate-breathe' : undefined}>{isStreaming ? 'Thinking' : 'Thought'}</span>
      {isPartial && <span>(cut off)</span>}
    </>
  )
  return (
    <Fold head={head} isOpen={isStreaming}>
      <div className="mt-1 mb-2 border-l-2 pl-4 text-[14px] text-ink-soft">
        <Markdown text={entity.text} isStreaming={isStreaming} />
      </div>
    </Fold>
  )
}
