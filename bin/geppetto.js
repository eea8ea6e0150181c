#!/usr/bin/env node
// Plain JavaScript that an old Node can read: it finds a new one, or says what is missing, before anything that needs one
// is loaded.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const needed = 24
const running = process.versions.node
/** The Node that a checkout brings with it. */
const own = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url))

if (Number(running.split('.')[0]) >= needed) {
  if (process.env.GEPPETTO_STARTED_BY === String(process.ppid)) endWithStarter()
  await import('../dist/cli/main.js')
} else if (existsSync(own)) {
  runOn(own)
} else {
  process.stderr.write(
    `geppetto needs Node ${needed} or newer, and this is Node ${running}: install a newer one from https://nodejs.org and try again.\n`,
  )
  process.exitCode = 1
}

/** Is to the outside what the command is on the other Node: its streams, its signals, its end. */
function runOn(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, GEPPETTO_STARTED_BY: String(process.pid) },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // What is typed at a terminal comes to both by itself, and twice means at once.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** Nobody can hand on a SIGKILL, but its channel closes. */
function endWithStarter() {
  delete process.env.GEPPETTO_STARTED_BY
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel?.unref()
}
