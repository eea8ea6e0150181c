import type { JsonObject } from '../../json.ts'
import type { ReasoningBlock, TextBlock, ToolCallBlock } from '../../turns/block.ts'
import { sidecarKey, thoughtSignatureKey } from '../../turns/keys.ts'

/** The block with its parts as they go back, where they are more than the block says by itself. */
export function sealed<B extends TextBlock | ReasoningBlock | ToolCallBlock>(
  block: B,
  parts: readonly JsonObject[],
  signature: string | undefined,
): B {
  const signed = signature === undefined ? block : thoughtSignatureKey.set(block, signature)
  const isPlain =
    parts.length === 0 || (parts.length === 1 && JSON.stringify(parts[0]) === JSON.stringify(plainPart(block)))
  return isPlain ? signed : sidecarKey.set(signed, { provider: 'gemini', item: { parts } })
}

function plainPart(block: TextBlock | ReasoningBlock | ToolCallBlock): JsonObject {
  switch (block.kind) {
    case 'llm_text':
      return { text: block.payload.text }
    case 'reasoning':
      return { text: block.payload.text ?? '', thought: true }
    case 'tool_call':
      return { functionCall: { name: block.payload.name, args: block.payload.args } }
  }
}
