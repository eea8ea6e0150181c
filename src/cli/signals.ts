/**
 * Makes Ctrl-C and SIGTERM cancel the inference, which still shows what it has; the second one ends the process, as it
 * does when nothing runs. The function that is returned takes that back.
 */
export function cancelOnSignal(inference: { cancel(reason: string): void }): () => void {
  const release = () => {
    process.off('SIGINT', cancel)
    process.off('SIGTERM', cancel)
  }
  const cancel = (signal: NodeJS.Signals) => {
    release()
    inference.cancel(signal)
  }
  process.on('SIGINT', cancel)
  process.on('SIGTERM', cancel)
  return release
}

/** The signal that tells this process to end; a second one ends it at once. */
export function untilTold(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const hear = (signal: NodeJS.Signals) => {
      process.on('SIGINT', () => process.exit(130))
      process.on('SIGTERM', () => process.exit(130))
      process.off('SIGINT', hear)
      process.off('SIGTERM', hear)
      resolve(signal)
    }
    process.on('SIGINT', hear)
    process.on('SIGTERM', hear)
  })
}
