import type { Io } from './io.ts'

export interface Style {
  readonly isOn: boolean
  dim(text: string): string
  red(text: string): string
  green(text: string): string
}

export interface StyleOptions {
  /** False after --no-color. */
  readonly color?: boolean
}

/** Colours for what goes to `stream`: only on a terminal that can show them, and that was not told otherwise. */
export function styleFor(stream: { readonly isTTY?: boolean }, env: Io['env'], options: StyleOptions = {}): Style {
  const isOn = options.color !== false && stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  const style = (open: number, close: number) => (text: string) =>
    isOn && text !== '' ? `\u001b[${open}m${text}\u001b[${close}m` : text
  return { isOn, dim: style(2, 22), red: style(31, 39), green: style(32, 39) }
}
