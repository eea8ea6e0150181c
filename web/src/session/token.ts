// Who uses the app, on servers that want to know: their key, kept for as long as the tab is open.

const key = 'geppetto.token'

export function storedToken(): string | undefined {
  return sessionStorage.getItem(key) ?? undefined
}

/** Keeps the key and begins anew with it: nothing that was shown without it is to stay. */
export function signIn(token: string): void {
  sessionStorage.setItem(key, token)
  location.reload()
}
