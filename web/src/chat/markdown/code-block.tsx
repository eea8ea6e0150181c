import { memo, useMemo, useSyncExternalStore, type ReactNode } from 'react'
import type { createLowlight } from 'lowlight'
import { CopyButton } from '../../design/copy.tsx'

type Highlighter = ReturnType<typeof createLowlight>
type Node = ReturnType<Highlighter['highlight']>['children'][number]

/** Longer than that it is shown as it is: colours are not worth the time that they take. */
const highlightLimit = 50_000

let highlighter: Highlighter | undefined
let isLoading = false
const listeners = new Set<() => void>()

/** Loads what knows about languages when there is the first block of code. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  if (!isLoading) {
    isLoading = true
    import('./highlighter.ts').then(
      (module) => {
        highlighter = module.highlighter
        for (const each of listeners) each()
      },
      () => {
        isLoading = false // the next block tries again; until then code has no colours
      },
    )
  }
  return () => void listeners.delete(listener)
}

/** Code, with its language and a button that copies it. `isOpen`: more of it may come. */
export function CodeBlock({
  text,
  language,
  isOpen,
}: {
  readonly text: string
  readonly language: string
  readonly isOpen: boolean
}) {
  const name = language.split(/[\s{]/)[0] ?? ''
  // Lines that are whole are coloured once; the one that is being written waits until it is.
  const end = isOpen ? text.lastIndexOf('\n') + 1 : text.length
  return (
    <figure className="code">
      <figcaption>
        <span>{name === '' ? 'text' : name}</span>
        <CopyButton text={text} what="code" />
      </figcaption>
      <pre tabIndex={0} aria-label={name === '' ? 'Code' : `Code in ${name}`}>
        <code>
          <Colored text={text.slice(0, end)} language={name} />
          {text.slice(end)}
        </code>
      </pre>
    </figure>
  )
}

const Colored = memo(({ text, language }: { readonly text: string; readonly language: string }) => {
  const loaded = useSyncExternalStore(subscribe, () => highlighter)
  const nodes = useMemo(() => {
    if (loaded === undefined || text.length > highlightLimit || !loaded.registered(language)) return undefined
    return loaded.highlight(language, text).children
  }, [loaded, text, language])
  return nodes === undefined ? text : renderNodes(nodes)
})

function renderNodes(nodes: readonly Node[]): ReactNode {
  return nodes.map((node, index) => {
    if (node.type === 'text') return node.value
    if (node.type !== 'element') return null
    const names = node.properties['className']
    return (
      <span key={index} className={Array.isArray(names) ? names.join(' ') : undefined}>
        {renderNodes(node.children)}
      </span>
    )
  })
}
