// Turns: the whole context of a model call as a value, its blocks, its typed keys, and the files it is kept in.
export * from './block.ts'
export { applyDelta, turnDelta, type TurnDelta } from './delta.ts'
export { decodeBlock, decodeTurn, type Finding } from './decode.ts'
export { diffTurns, isEmptyDiff, type BlockChange, type TurnDiff } from './diff.ts'
export { checkTurn, turnFromText, turnToJson, turnToYaml } from './document.ts'
export { documentLimits } from './document-reader.ts'
export { encodeBlock, encodeTurn } from './encode.ts'
export { blockHash } from './hash.ts'
export { imageBytes, imageFile, imageSource, imageUrl, type ImageSource } from './image.ts'
export {
  blockMeta,
  KeyDecodeError,
  turnData,
  turnMeta,
  type BlockMetaKey,
  type Key,
  type KeyFamily,
  type KeyId,
  type TurnDataKey,
  type TurnMetaKey,
} from './key.ts'
export * from './keys.ts'
export { printTurn, type PrintOptions } from './print.ts'
export { pendingToolCalls } from './tool-calls.ts'
export * from './turn.ts'
export * from './values.ts'
