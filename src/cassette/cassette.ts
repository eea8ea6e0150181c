import type { Clock, NewId } from '../clock.ts'
import { canonicalJson, tryParseJson, type Json } from '../json.ts'
import type { Tool } from '../inference/tool.ts'
import type { Fetch } from '../providers/transport.ts'
import type { CassetteCommand } from './format.ts'

/**
 * Where a run gets everything that is not its own doing: time, ids, replies, what tools do, what a client wants. The
 * recorder and the player both are one, so a program is set up in the same way for either.
 */
export interface Cassette {
  readonly clock: Clock
  readonly newId: NewId
  readonly fetch: Fetch
  /** The tool as the run is to have it. */
  tool<Input>(tool: Tool<Input>): Tool<Input>
  /** Sets who carries commands out. A replay hands over what was recorded, at the place where it came. */
  onCommand(handle: (command: CassetteCommand) => void): void
}

/** A tool's input as it is written: masked when the tool has a mask. */
export function shownInput<Input>(tool: Tool<Input>, input: Input): Json {
  const shown: unknown = tool.mask === undefined ? input : tool.mask(input)
  return tryParseJson(canonicalJson(shown ?? null)) ?? null
}
