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
