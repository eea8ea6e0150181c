import { memo, useState } from 'react'
import { closedBlock, emptyDocument, readDocument, type Block, type Document } from './blocks.ts'
import { renderBlock } from './render.tsx'
import './markdown.css'

/**
 * A text of a model as Markdown. It becomes elements and never markup: what looks like HTML is shown as it stands.
 * `isStreaming`: more of it may come.
 */
export function Markdown({ text, isStreaming }: { readonly text: string; readonly isStreaming: boolean }) {
  const document = useDocument(text)
  const end = document.blocks.findLastIndex(({ token }) => token.type !== 'space')
  return (
    <div className="md">
      {document.blocks.map((block, index) => (
        <BlockView key={block.offset} block={block} isOpen={isStreaming && index === end} />
      ))}
    </div>
  )
}

const BlockView = memo(({ block, isOpen }: { readonly block: Block; readonly isOpen: boolean }) =>
  renderBlock((isOpen ? closedBlock(block) : block).token, isOpen),
)

/** The document goes on from the one that was shown before. */
function useDocument(text: string): Document {
  const [shown, setShown] = useState(() => readDocument(text, emptyDocument))
  if (shown.text === text) return shown
  const next = readDocument(text, shown)
  setShown(next)
  return next
}
