import { useState } from 'react'
import { Button } from '../design/button.tsx'
import { TextField } from '../design/field.tsx'
import { signIn, storedToken } from '../session/token.ts'

/** Asks for a key, on servers that want to know who asks. */
export function SignIn() {
  const [token, setToken] = useState('')
  return (
    <form
      className="m-auto w-full max-w-sm space-y-3 p-6"
      onSubmit={(event) => {
        event.preventDefault()
        if (token.trim() !== '') signIn(token.trim())
      }}
    >
      <h2 className="text-xl font-semibold">Who are you?</h2>
      <p className="text-ink-soft">
        {storedToken() === undefined
          ? 'This server answers only those whom it knows. Give your key or token; it is forgotten when you close the tab.'
          : 'The server does not take this key, or no longer. Give another one.'}
      </p>
      <TextField
        label="Key or token"
        type="password"
        autoComplete="current-password"
        value={token}
        onChange={(event) => setToken(event.target.value)}
      />
      <Button tone="accent" type="submit" disabled={token.trim() === ''}>
        Go on
      </Button>
    </form>
  )
}
