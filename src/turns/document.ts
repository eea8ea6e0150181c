import { isGeppettoError, messageOf } from '../errors.ts'
import { decodeTurn, type Finding } from './decode.ts'
import { readDocument } from './document-reader.ts'
import { encodeTurn } from './encode.ts'
import { keyCatalogue } from './keys.ts'
import { pendingToolCalls } from './tool-calls.ts'
import type { Turn } from './turn.ts'
import { writeYaml } from './yaml-writer.ts'

/** The turn as YAML. Equal turns give equal text. */
export function turnToYaml(turn: Turn): string {
  return writeYaml(encodeTurn(turn))
}

/** The turn as JSON text, indented by two. */
export function turnToJson(turn: Turn): string {
  return `${JSON.stringify(encodeTurn(turn), null, 2)}\n`
}

/** Reads a turn file in YAML or JSON (JSON is YAML too). Throws TURN_INVALID or TURN_TOO_LARGE. */
export function turnFromText(text: string, note?: (finding: Finding) => void): Turn {
  return decodeTurn(readDocument(text), note)
}

/** Reads a turn file and says all that is worth saying of it; never throws for what the file holds. */
export function checkTurn(text: string): { readonly turn?: Turn; readonly findings: readonly Finding[] } {
  const findings: Finding[] = []
  try {
    const turn = turnFromText(text, (finding) => findings.push(finding))
    return { turn, findings: [...findings, ...undecodableKeys(turn), ...brokenToolCalls(turn)] }
  } catch (error) {
    const path = isGeppettoError(error) && typeof error.details['path'] === 'string' ? error.details['path'] : '$'
    return { findings: [...findings, { severity: 'error', path, message: messageOf(error) }] }
  }
}

function undecodableKeys(turn: Turn): Finding[] {
  const turnKeys = [...keyCatalogue['turn.metadata'], ...keyCatalogue['turn.data']]
  const inTurn = turnKeys.flatMap((key) => {
    const bag = key.family === 'turn.metadata' ? 'metadata' : 'data'
    return decodeProblem(() => key.get(turn), `$.${bag}["${key.id}"]`)
  })
  const inBlocks = turn.blocks.flatMap((block, index) =>
    keyCatalogue['block.metadata'].flatMap((key) =>
      decodeProblem(() => key.get(block), `$.blocks[${index}].metadata["${key.id}"]`),
    ),
  )
  return [...inTurn, ...inBlocks]
}

function decodeProblem(read: () => unknown, path: string): Finding[] {
  try {
    read()
    return []
  } catch (error) {
    return [{ severity: 'warning', path, message: messageOf(error) }]
  }
}

function brokenToolCalls(turn: Turn): Finding[] {
  const called = new Set(turn.blocks.flatMap((block) => (block.kind === 'tool_call' ? [block.payload.id] : [])))
  const orphans = turn.blocks.flatMap((block, index): Finding[] =>
    block.kind === 'tool_use' && !called.has(block.payload.id)
      ? [
          {
            severity: 'warning',
            path: `$.blocks[${index}]`,
            message: `the result of a call that is not in the turn (${block.payload.id})`,
          },
        ]
      : [],
  )
  const pending = pendingToolCalls(turn).map((call): Finding => {
    const path = `$.blocks[${turn.blocks.indexOf(call)}]`
    return { severity: 'note', path, message: `tool call ${call.payload.id} (${call.payload.name}) has no result` }
  })
  return [...orphans, ...pending]
}
