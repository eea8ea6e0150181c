// The timeline: what a person sees of a session, as a fold of its events.
export {
  entityKinds,
  type ActivityEntity,
  type ApprovalView,
  type Entity,
  type EntityKind,
  type InferenceEntity,
  type InferenceViewStatus,
  type MessageEntity,
  type NoticeEntity,
  type ReasoningEntity,
  type ToolCallEntity,
  type ToolCallStatus,
} from './entity.ts'
export { timelineFromJson, timelineToJson } from './json.ts'
export { applyTimeline, emptyTimeline, entitiesOf, type Timeline } from './timeline.ts'
