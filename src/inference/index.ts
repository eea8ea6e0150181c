// Inference: what an engine is, what runs one, and the tools that a model may call on the way.
export { calculator, currentTime } from './builtin-tools.ts'
export {
  editTurn,
  stack,
  viewTurn,
  watchTurn,
  type ApprovalDecision,
  type Engine,
  type InferenceContext,
  type Middleware,
  type ToolInputSchema,
  type ToolSpec,
} from './engine.ts'
export { InferenceCancelledError, InferenceHandedOverError, InferenceInterruptedError } from './inference-error.ts'
export { type InferenceStatus, type Past, type RunOptions } from './run-options.ts'
export { Inference, run } from './run.ts'
export { type Recorder } from './record-queue.ts'
export { type HandOver } from './stop.ts'
export { addUsage, costOf, finishClass, isTruncated, type ModelCost } from './result.ts'
export {
  applyStepEdit,
  StepController,
  stepPhases,
  type StepControllerOptions,
  type StepEdit,
  type StepPause,
  type StepPhase,
  type StepScope,
} from './steps.ts'
export { type RetryOptions } from './tool-execution.ts'
export { type ToolLoopOptions } from './tool-loop-options.ts'
export { toolLoop } from './tool-loop.ts'
export { defineTool, jsonSchemaInput, toolParameters, type ClientTool, type Tool, type ToolContext } from './tool.ts'
