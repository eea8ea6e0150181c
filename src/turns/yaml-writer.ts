import { Document, visit } from 'yaml'
import type { JsonObject } from '../json.ts'

const style = {
  lineWidth: 0,
  aliasDuplicateObjects: false,
  blockQuote: 'literal',
  doubleQuotedMinMultiLineLength: Infinity, // over several lines the library loses spaces around line breaks
  // Text that YAML 1.1 would read as something else (no, 2024-01-01) is quoted: Python and Go read these files too.
  compat: 'yaml-1.1',
} as const

/** `value` as YAML that reads back as the same value, in any reader. Equal values give equal text. */
export function writeYaml(value: JsonObject): string {
  const document = new Document(value, style)
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'string' && mustBeQuoted(node.value)) node.type = 'QUOTE_DOUBLE'
    },
  })
  return document.toString(style)
}

// The library would lose the spaces of blank lines that are all there is, and a byte order mark at the beginning.
function mustBeQuoted(text: string): boolean {
  return text.includes('\ufeff') || (text.includes('\n') && text.trim() === '')
}
