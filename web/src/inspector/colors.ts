import type { LaneItem } from './model/lanes.ts'

/** What events of a kind look like, in a drawing and as a dot in a list. */
export const fills: Readonly<Record<LaneItem['color'], string>> = {
  session: 'fill-accent',
  inference: 'fill-ink-soft',
  loop: 'fill-(--code-title)',
  call: 'fill-(--code-number)',
  text: 'fill-positive',
  reasoning: 'fill-(--code-keyword)',
  tool: 'fill-caution',
  delta: 'fill-line-strong',
  'provider-tool': 'fill-caution',
  note: 'fill-ink-faint',
  unknown: 'fill-negative',
  failure: 'fill-negative',
}

export const dots: Readonly<Record<LaneItem['color'], string>> = {
  session: 'bg-accent',
  inference: 'bg-ink-soft',
  loop: 'bg-(--code-title)',
  call: 'bg-(--code-number)',
  text: 'bg-positive',
  reasoning: 'bg-(--code-keyword)',
  tool: 'bg-caution',
  delta: 'bg-line-strong',
  'provider-tool': 'bg-caution',
  note: 'bg-ink-faint',
  unknown: 'bg-negative',
  failure: 'bg-negative',
}
