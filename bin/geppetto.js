#!/usr/bin/env node
// Plain JavaScript that an old Node can read: it says what is missing before anything that needs a new one is loaded.
const needed = 24
const running = process.versions.node

if (Number(running.split('.')[0]) < needed) {
  process.stderr.write(
    `geppetto needs Node ${needed} or newer, and this is Node ${running}: install a newer one from https://nodejs.org and try again.\n`,
  )
  process.exitCode = 1
} else {
  await import('../dist/cli/main.js')
}
