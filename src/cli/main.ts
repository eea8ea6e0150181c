import { exitCodeOf, reportError } from './exit.ts'
import { main } from './program.ts'

// The exit code is set and the process left to end by itself, so that everything written gets out first.

let outputError: (Error & { readonly code?: string }) | undefined
process.stdout.on('error', (error: Error & { readonly code?: string }) => {
  outputError ??= error
})
process.stderr.on('error', () => {})
process.on('uncaughtException', (error) => {
  reportError(process, error)
  process.exit(exitCodeOf(error))
})

process.exitCode = await main(process.argv.slice(2), process)

await new Promise<void>((resolve) => {
  process.stdout.write('', () => resolve())
})
// A reader that has enough (`| head`) is no failure; a full disk is.
if (outputError !== undefined && outputError.code !== 'EPIPE') {
  reportError(process, outputError)
  process.exitCode = 1
}
