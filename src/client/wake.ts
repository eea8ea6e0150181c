/** What a page knows of itself and of the network; nothing of it is there in Node. */
export interface PageScope {
  addEventListener?(type: 'online', listener: () => void): void
  removeEventListener?(type: 'online', listener: () => void): void
  readonly document?: {
    readonly visibilityState: string
    addEventListener(type: 'visibilitychange', listener: () => void): void
    removeEventListener(type: 'visibilitychange', listener: () => void): void
  }
}

/**
 * Calls `onWake` when a page is looked at again, as after a sleep, and when the machine has a network again, which may
 * be another one. The function returned ends that.
 */
export function watchWake(scope: PageScope, onWake: (isNetworkNew: boolean) => void): () => void {
  const { document } = scope
  const online = () => onWake(true)
  const visible = () => {
    if (document?.visibilityState === 'visible') onWake(false)
  }
  scope.addEventListener?.('online', online)
  document?.addEventListener('visibilitychange', visible)
  return () => {
    scope.removeEventListener?.('online', online)
    document?.removeEventListener('visibilitychange', visible)
  }
}
