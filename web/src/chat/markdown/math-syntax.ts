import type { TokenizerExtension, Tokens } from 'marked'

// Formulas, as models write them: $…$ and \(…\) in a line, $$…$$ and \[…\] on their own. Two prices in one sentence are
// no formula: a dollar that closes one stands after something, and before no digit.

export interface MathToken extends Tokens.Generic {
  readonly type: 'math'
  readonly text: string
  readonly isDisplay: boolean
}

const displayForms = [/^ {0,3}\$\$([^$]+?)\$\$[ \t]*(?:\n|$)/, /^ {0,3}\\\[([^]+?)\\\][ \t]*(?:\n|$)/]
const inlineForms: readonly (readonly [form: RegExp, isDisplay: boolean])[] = [
  [/^\$\$([^$\n]+?)\$\$/, true],
  [/^\$(?![\s$])((?:\\[^\n]|[^\\$\n])*?[^\s\\$])\$(?!\d)/, false],
  [/^\\\(([^\n]+?)\\\)/, false],
  [/^\\\[([^\n]+?)\\\]/, true],
]

export const mathExtensions: TokenizerExtension[] = [
  {
    name: 'math',
    level: 'block',
    start: (source) => indexOf(source, /^ {0,3}(?:\$\$|\\\[)/m),
    tokenizer: (source) => firstOf(displayForms.map((form) => mathToken(form.exec(source), true))),
  },
  {
    name: 'math',
    level: 'inline',
    start: (source) => indexOf(source, /\$|\\[([]/),
    tokenizer: (source) => firstOf(inlineForms.map(([form, isDisplay]) => mathToken(form.exec(source), isDisplay))),
  },
]

function mathToken(match: RegExpExecArray | null, isDisplay: boolean): MathToken | undefined {
  return match === null ? undefined : { type: 'math', raw: match[0], text: (match[1] ?? '').trim(), isDisplay }
}

function firstOf(tokens: readonly (MathToken | undefined)[]): MathToken | undefined {
  return tokens.find((token) => token !== undefined)
}

function indexOf(source: string, form: RegExp): number | undefined {
  const at = source.search(form)
  return at < 0 ? undefined : at
}
