import { Fragment, type ReactNode } from 'react'
import type { MarkedToken, Token, Tokens } from 'marked'
import { CodeBlock } from './code-block.tsx'
import { ownImage, safeLink } from './links.ts'
import type { MathToken } from './math-syntax.ts'
import { Formula } from './formula.tsx'

type KnownToken = MarkedToken | MathToken

/** A block as elements. `isOpen`: more of it may come. */
export function renderBlock(token: Token, isOpen = false): ReactNode {
  const known = token as KnownToken // the lexer has no other extensions
  switch (known.type) {
    case 'heading':
      return <Heading depth={known.depth}>{renderInline(known.tokens)}</Heading>
    case 'paragraph':
      return <p>{renderInline(known.tokens)}</p>
    case 'code':
      return <CodeBlock text={known.text} language={known.lang ?? ''} isOpen={isOpen} />
    case 'blockquote':
      return <blockquote>{renderBlocks(known.tokens)}</blockquote>
    case 'list':
      return <List list={known} />
    case 'table':
      return <Table table={known} />
    case 'hr':
      return <hr />
    case 'math':
      return <Formula text={known.text} isDisplay />
    case 'html':
      return <p>{known.text}</p>
    case 'space':
    case 'def':
      return null
    default:
      return <>{renderInline([token])}</>
  }
}

function renderBlocks(tokens: readonly Token[]): ReactNode {
  return tokens.map((token, index) => <Fragment key={index}>{renderBlock(token)}</Fragment>)
}

function renderInline(tokens: readonly Token[]): ReactNode {
  return tokens.map((token, index) => <Fragment key={index}>{renderSpan(token as KnownToken)}</Fragment>) // as above
}

function renderSpan(token: KnownToken): ReactNode {
  switch (token.type) {
    case 'strong':
      return <strong>{renderInline(token.tokens)}</strong>
    case 'em':
      return <em>{renderInline(token.tokens)}</em>
    case 'del':
      return <del>{renderInline(token.tokens)}</del>
    case 'codespan':
      return <code>{token.text}</code>
    case 'br':
      return <br />
    case 'link':
      return <OutsideLink href={token.href}>{renderInline(token.tokens)}</OutsideLink>
    case 'image':
      return <Image token={token} />
    case 'math':
      return <Formula text={token.text} isDisplay={token.isDisplay} />
    case 'text':
      return 'tokens' in token && token.tokens !== undefined ? renderInline(token.tokens) : unescaped(token.text)
    case 'escape':
      return token.text
    case 'checkbox':
      return null // its item has it
    case 'html':
      return /^<br\s*\/?>$/i.test(token.raw) ? <br /> : token.raw
    default:
      return token.raw
  }
}

/** Characters that were written by name: the lexer leaves them to whoever makes markup. */
const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", nbsp: '\u00a0' }

function unescaped(text: string): string {
  return text.replaceAll(/&(amp|lt|gt|quot|#39|nbsp);/g, (all, name: string) => named[name] ?? all)
}

// The page has a heading of its own above what a model says.
function Heading({ depth, children }: { readonly depth: number; readonly children: ReactNode }) {
  if (depth === 1) return <h2>{children}</h2>
  if (depth === 2) return <h3>{children}</h3>
  return depth === 3 ? <h4>{children}</h4> : <h5>{children}</h5>
}

function List({ list }: { readonly list: Tokens.List }) {
  const items = list.items.map((item, index) => (
    <li key={index} className={item.task ? 'task' : undefined}>
      {item.task && <input type="checkbox" checked={item.checked === true} disabled aria-label="Done" />}
      {renderBlocks(item.tokens)}
    </li>
  ))
  if (!list.ordered) return <ul>{items}</ul>
  return <ol start={list.start === '' ? 1 : list.start}>{items}</ol>
}

const alignments = { left: 'text-left', center: 'text-center', right: 'text-right' } as const

function Table({ table }: { readonly table: Tokens.Table }) {
  const alignment = (index: number) => alignments[table.align[index] ?? 'left']
  return (
    <div className="table-frame" role="group" aria-label="Table" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {table.header.map((cell, index) => (
              <th key={index} className={alignment(index)}>
                {renderInline(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, rowIndex) => (
            <tr key={rowIndex}>
              {row.map((cell, index) => (
                <td key={index} className={alignment(index)}>
                  {renderInline(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function OutsideLink({ href, children }: { readonly href: string; readonly children: ReactNode }) {
  const safe = safeLink(href)
  if (safe === undefined) return <>{children}</>
  return (
    <a href={safe} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  )
}

// An image of somewhere else would tell that place who looks, and when: it is a link.
function Image({ token }: { readonly token: Tokens.Image }) {
  const own = ownImage(token.href)
  if (own !== undefined) return <img src={own} alt={token.text} />
  return <OutsideLink href={token.href}>{token.text === '' ? 'an image' : token.text}</OutsideLink>
}
