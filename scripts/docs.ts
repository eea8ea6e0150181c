// Keeps the documents true: a block of TypeScript is a file, or a region of one, that is compiled and run elsewhere, or
// is compiled here; a link leads to something that is there. `--write` fills the blocks in.
//
//   ```ts file=examples/x.ts           the whole file
//   ```ts file=examples/x.ts#region    what lies between `// #region region` and `// #endregion region`
//   ```ts type-only                    compiled, never run
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const fenced = /^( *)(`{3,})(.*)\n((?:.*\n)*?) *\2 *$/gm
const isWriting = process.argv.includes('--write')
const documents = globSync(['*.md', 'docs/**/*.md']).toSorted()
const problems: string[] = []
const typeOnly: { readonly name: string; readonly code: string }[] = []

if (documents.length === 0) throw new Error('no documents found: run this where package.json is')
for (const path of documents) {
  const text = readFileSync(path, 'utf8')
  const filled = withBlocks(path, text)
  if (isWriting && filled !== text) writeFileSync(path, filled)
  checkLinks(path, text)
}
if (typeOnly.length > 0) checkTypes()
if (problems.length > 0) console.error(problems.join('\n'))
process.exitCode = problems.length > 0 ? 1 : 0

/** The document with every block as its source has it; a block that differs is a problem, unless we are writing. */
function withBlocks(path: string, text: string): string {
  return text.replace(fenced, (block, indent: string, fence: string, info: string, body: string, offset: number) => {
    const line = text.slice(0, offset).split('\n').length
    const [language = '', source = ''] = info.trim().split(/\s+/)
    if (!/^(ts|tsx|js|jsx|mjs|typescript|javascript)$/.test(language)) return block
    if (source === 'type-only') typeOnly.push({ name: `${path.replaceAll(/\W/g, '-')}-line-${line}.ts`, code: body })
    const file = /^file=([^#]+)(?:#(.+))?$/.exec(source)
    if (!file) {
      if (source !== 'type-only') problems.push(`${path}:${line} is checked by nothing: say file=… or type-only`)
      return block
    }
    const code = codeOf(file[1] ?? '', file[2])
    if (code === undefined) problems.push(`${path}:${line} shows ${source.slice(5)}, which is not there`)
    if (code === undefined) return block
    const wanted = code.replaceAll(/^(?=.)/gm, indent)
    if (body !== wanted && !isWriting) problems.push(`${path}:${line} differs from its file: npm run docs:write`)
    return `${indent}${fence}${info}\n${wanted}${indent}${fence}`
  })
}

function codeOf(file: string, region: string | undefined): string | undefined {
  if (!existsSync(file)) return undefined
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const start = lines.findIndex((line) => line.trim() === `// #region ${region}`)
  const end = lines.findIndex((line, at) => at > start && line.trim() === `// #endregion ${region}`)
  if (region !== undefined && (start < 0 || end < 0)) return undefined
  const all = region === undefined ? lines : lines.slice(start, end)
  const shown = all.filter((line) => !/^\s*\/\/ #(end)?region\b/.test(line))
  const margin = Math.min(...shown.filter((line) => line.trim() !== '').map((line) => line.search(/\S/)))
  return `${shown.map((line) => line.slice(margin)).join('\n')}\n`
}

function checkLinks(path: string, text: string): void {
  for (const [, link = ''] of withoutFences(text)
    .replaceAll(/`[^`\n]+`/g, '')
    .matchAll(/\]\(<?([^)\s>]+)/g)) {
    if (/^(\w+:|\/\/)/.test(link)) continue
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? path : normalize(join(dirname(path), decodeURI(file)))
    if (!existsSync(target)) problems.push(`${path} links to ${link}, which is not there`)
    else if (anchor !== undefined && statSync(target).isFile() && !anchorsOf(target).includes(anchor)) {
      problems.push(`${path} links to ${link}, and ${target} has no such heading`)
    }
  }
}

/** The anchors that GitHub gives to the headings. */
function anchorsOf(path: string): readonly string[] {
  const headings = withoutFences(readFileSync(path, 'utf8')).matchAll(/^#+ +(.*?)(?: +#+)? *$/gm)
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function withoutFences(text: string): string {
  return text.replaceAll(fenced, '')
}

function checkTypes(): void {
  const folder = 'node_modules/.cache/geppetto-docs'
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const config = { extends: '../../../tsconfig.json', include: ['*.ts'], exclude: [] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  for (const { name, code } of typeOnly) writeFileSync(join(folder, name), `${code}export {}\n`)
  const { status, stdout } = spawnSync(`tsc -p ${folder}`, { encoding: 'utf8', shell: true })
  if (status !== 0) problems.push(stdout.trim())
}
