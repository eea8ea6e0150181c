import type { Json } from '../session/json.ts'
import { CopyButton } from './copy.tsx'

/** A JSON value as people read it. Text stands as it is, without quotes and escapes. */
export function JsonView({ value, what }: { readonly value: Json; readonly what: string }) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  return (
    <div className="group relative">
      <pre
        tabIndex={0}
        aria-label={what}
        className="max-h-80 overflow-auto rounded-lg border bg-sunken px-3 py-2 font-mono text-[13px]/5 wrap-anywhere whitespace-pre-wrap"
      >
        {text}
      </pre>
      <div className="absolute top-1 right-1 rounded-md bg-sunken opacity-0 group-focus-within:opacity-100 group-hover:opacity-100">
        <CopyButton text={text} what={what} />
      </div>
    </div>
  )
}
