// Installs what the lock file says, when that is not there yet. Plain JavaScript with nothing but built-ins, because it
// runs on whichever Node the machine has; the scripts after it run on the Node 24 that it installs.
import { execSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** npm notes what it has installed when it is done, so a broken-off install is not taken for a whole one. */
function isInstalled() {
  const note = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(note) || !existsSync(join(root, 'node_modules/node/bin/node'))) return false
  const installed = packagesOf(note)
  const wanted = Object.entries(packagesOf(join(root, 'package-lock.json'))).filter(([path]) => path !== '')
  return wanted.every(([path, { version, optional }]) =>
    installed[path] ? installed[path].version === version : optional === true,
  )
}

function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages
}

if (!isInstalled()) {
  console.log('Installing what package-lock.json says; this takes a minute the first time.')
  // Not with the Node in node_modules, which the install takes away; and quiet about packages that need a newer Node
  // than the machine's, because they get it.
  const PATH = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'))
  const env = { ...process.env, PATH: PATH.join(delimiter) }
  try {
    execSync('npm ci --no-audit --no-fund --loglevel=error', { cwd: root, env, stdio: 'inherit' })
  } catch {
    console.error('The install failed; what npm says above is the reason.')
    process.exit(1)
  }
}
