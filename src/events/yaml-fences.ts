/** A fenced code block's language, in lower case and '' when it names none, and its text. */
export interface CodeFence {
  readonly language: string
  readonly body: string
}

/**
 * The contents of the fenced blocks that say `yaml` or `yml`, in order. As in CommonMark, a fence is three or more
 * backticks or tildes, closed by at least as many; one that is never closed goes on to the end.
 */
export function extractYamlBlocks(markdown: string): readonly string[] {
  return fencesOf(markdown)
    .filter(({ language }) => language === 'yaml' || language === 'yml')
    .map(({ body }) => body)
}

/**
 * The inside of the fence that a model put around its answer, from the first line with three backticks to the last.
 * Text without a fence is its own body.
 */
export function stripCodeFence(text: string): CodeFence {
  const lines = text.split('\n')
  const first = lines.findIndex((line) => line.trimStart().startsWith('```'))
  if (first === -1) return { language: '', body: text }
  const last = lines.findLastIndex((line, index) => index > first && line.trim().startsWith('```'))
  const body = lines.slice(first + 1, last === -1 ? undefined : last)
  return { language: languageOf((lines[first] ?? '').trim().slice(3)), body: body.join('\n') }
}

function fencesOf(markdown: string): readonly CodeFence[] {
  const fences: CodeFence[] = []
  let open:
    | { readonly mark: string; readonly indent: number; readonly language: string; readonly lines: string[] }
    | undefined
  const close = () => {
    if (open !== undefined)
      fences.push({ language: open.language, body: open.lines.map((line) => `${line}\n`).join('') })
    open = undefined
  }
  for (const line of linesOf(markdown)) {
    const [, indent = '', mark = '', info = ''] = /^( {0,3})(`{3,}|~{3,})(.*)$/.exec(line) ?? []
    if (open !== undefined) {
      if (mark.startsWith(open.mark) && info.trim() === '') close()
      else open.lines.push(withoutIndent(line, open.indent))
    } else if (mark !== '' && !(mark.startsWith('`') && info.includes('`'))) {
      open = { mark, indent: indent.length, language: languageOf(info), lines: [] }
    }
  }
  close()
  return fences
}

function linesOf(text: string): readonly string[] {
  const lines = text.split(/\r?\n/)
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

function withoutIndent(line: string, most: number): string {
  const spaces = line.length - line.trimStart().length
  return line.slice(Math.min(spaces, most))
}

function languageOf(info: string): string {
  return info.trim().split(/\s+/)[0]?.toLowerCase() ?? ''
}
