import { Link, type ErrorComponentProps } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { messageOf } from '../../src/errors.ts'
import { Button } from './design/button.tsx'

/** What is loaded may be of another version than the server by now: from its beginning the page is of one. */
export function ErrorPage({ error }: ErrorComponentProps) {
  return (
    <Plain title="This page broke">
      <p className="mt-2 text-ink-soft">{messageOf(error)}</p>
      <Button className="mt-4" icon="retry" onClick={() => location.reload()}>
        Load it again
      </Button>
    </Plain>
  )
}

export function NotFoundPage() {
  return (
    <Plain title="There is nothing here">
      <Link to="/" className="mt-3 inline-block text-accent-ink underline">
        Begin a conversation
      </Link>
    </Plain>
  )
}

function Plain({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <main className="grid h-full place-items-center p-6">
      <div className="max-w-md text-center">
        <h1 className="text-xl font-semibold">{title}</h1>
        {children}
      </div>
    </main>
  )
}
