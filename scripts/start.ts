// `npm start`: the command line on the engine that needs neither key nor network. A terminal gets a conversation, a pipe
// one run to look at; `npm start -- turn check x.yaml` runs what it says.
import { execSync } from 'node:child_process'

execSync('npm run build --silent', { stdio: 'inherit' })

const demonstration = ['run', 'What is 17 * 23?', '--tool', 'calculator', '--tool', 'current_time']
const given = process.argv.slice(2)
const usual = process.stdin.isTTY && process.stdout.isTTY ? ['chat'] : demonstration
process.argv.splice(2, given.length, ...(given.length > 0 ? given : usual))
await import(new URL('../bin/geppetto.js', import.meta.url).href)
