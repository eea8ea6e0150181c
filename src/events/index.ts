// Events: what can happen in a run, how it is stored, what it makes of a turn, and ways to watch it.
export { applyEvent } from './apply.ts'
export { decodeEvent, encodeEvent, eventToJsonLine } from './codec.ts'
export { defineEvent, EventRegistry, type EventDefinition } from './custom.ts'
export {
  decisions,
  isTerminal,
  phases,
  terminalTypes,
  type ApprovalReason,
  type Decision,
  type EngineEvent,
  type Envelope,
  type ErrorInfo,
  type EventOf,
  type InferenceEvent,
  type InferenceEventType,
  type InferenceScope,
  type LifecycleFields,
  type LogLevel,
  type Phase,
  type ProjectionRepair,
  type ProviderCallFields,
  type ProviderCallScope,
  type ReasoningSource,
  type RunFields,
  type SegmentFields,
  type SegmentScope,
  type TerminalEvent,
  type ToolCallFields,
  type ToolCallScope,
  type ToolStatus,
  type TurnEdit,
  type TurnEditedEvent,
  type TurnFields,
  type TurnScope,
  type UnknownEvent,
} from './event.ts'
export {
  extractTagged,
  type ExtractOptions,
  type TaggedBlock,
  type TaggedBlockHandler,
  type TaggedExtractor,
} from './extract-tagged.ts'
export type { EventSink } from './sink.ts'
export { jsonPrinter, yamlPrinter, type StructuredPrinterOptions } from './structured-printer.ts'
export { TagExtractor, type MalformedPolicy, type TagExtractorOptions, type TagPart } from './tag-extractor.ts'
export { textPrinter, type TextPrinterOptions } from './text-printer.ts'
export { extractYamlBlocks, stripCodeFence, type CodeFence } from './yaml-fences.ts'
