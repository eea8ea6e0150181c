import { sha256Hex } from '../sha256.ts'
import { sleep } from '../clock.ts'
import { GeppettoError, messageOf } from '../errors.ts'
import type { ApprovalReason, EngineEvent } from '../events/event.ts'
import { canonicalJson, isJsonObject, type Json, type JsonObject } from '../json.ts'
import { toolArguments, toolError, toolResult, type ToolCallBlock, type ToolUseBlock } from '../turns/block.ts'
import type { ApprovalDecision, InferenceContext } from './engine.ts'
import type { CallPast } from './position.ts'
import { editedBy, type StepController } from './steps.ts'
import { cancelGraceMs } from './stop.ts'
import { boundedText, toStoredJson, unknownOutcome } from './tool-result.ts'
import type { ClientTool, Tool } from './tool.ts'

export interface RetryOptions {
  /** Executions after the first one. Default 2. */
  readonly maxRetries?: number
  /** The wait before the first retry, in milliseconds. Default 1000. */
  readonly backoffMs?: number
  /** Each wait is this many times the one before. Default 2. */
  readonly backoffFactor?: number
}

/** How calls are executed. */
export interface ToolExecutionSettings {
  readonly tools: ReadonlyMap<string, Tool | ClientTool>
  isAllowed(name: string): boolean
  /** For each attempt of a tool that names no time of its own. */
  readonly timeoutMs: number
  /** Characters of JSON; what is longer is cut. */
  readonly maxResultChars: number
  readonly retry: Required<RetryOptions>
  /** What becomes of a call that may have run when its process died: a person is asked, or the model is told. */
  readonly onUnknownOutcome: 'ask' | 'continue'
  /** How long an approval is waited for. */
  readonly approvalTimeoutMs: number
  readonly steps: StepController | undefined
  /** What an earlier process recorded of the calls, by their ids. */
  readonly past: ReadonlyMap<string, CallPast>
}

/** What the calls of one run have in common. */
export interface ToolExecution extends ToolExecutionSettings {
  readonly context: InferenceContext
  /** Hears of starts, approvals and progress, at once; resolves when the event is in the log. */
  emit(event: EngineEvent): Promise<void>
  /** Resolves when the call has its place among those that run; gives the reason when it is not to run any more. */
  begin(): Promise<string | undefined>
  /** Gives the place back. */
  end(): void
}

/** Whether no call may begin any more: the run was cancelled, or another process goes on with it. */
export function isStopping({ signal, leaving }: InferenceContext): boolean {
  return signal.aborted || leaving.aborted
}

/**
 * Executes one call and gives the block that answers it. Whatever goes wrong with the call is an error result. A call
 * that was not let run when the run stops gets no answer, nor does one that does not end in time after a cancel.
 */
export async function executeToolCall(
  call: ToolCallBlock,
  execution: ToolExecution,
): Promise<ToolUseBlock | undefined> {
  const { id, name } = call.payload
  const { maxResultChars, context } = execution
  let hasBegun = false
  try {
    const tool = findTool(name, execution)
    if ('runsOn' in tool) return await clientAnswer(tool, call, execution)
    const permit = await stepBefore(tool, await permitFor(tool, call, execution), call, execution)
    if ('answer' in permit) return permit.answer
    const why = await execution.begin()
    try {
      if (isStopping(context)) return undefined
      if (why !== undefined) throw failure(`the tool was not run: ${why}`)
      await execution.emit(startEvent(tool, permit, call, execution))
      hasBegun = true
      if (context.signal.aborted) throw failure('the tool was not run: the run was cancelled before')
      const returned = await withRetries(tool, execution, () => attempt(tool, permit.input, id, execution))
      return toolResult(id, toStoredJson('the result', returned, maxResultChars))
    } finally {
      execution.end()
    }
  } catch (error) {
    if (error instanceof LeftBehind || (!hasBegun && isStopping(context))) return undefined
    return toolError(id, boundedText(messageOf(error), maxResultChars))
  }
}

/** A tool did not end in its time: what it did, or still does, nobody can say. */
class OutOfTime extends GeppettoError {
  constructor(timeoutMs: number) {
    super('TOOL_FAILED', `the tool did not finish within ${timeoutMs} ms`)
  }
}

/** A tool that was told of the cancel did not end within its grace. */
class LeftBehind extends Error {}

function findTool(name: string, execution: ToolExecution): Tool | ClientTool {
  const tool = execution.tools.get(name)
  if (tool === undefined) throw failure(`tool not found: ${name}`)
  if (!execution.isAllowed(name)) throw failure(`tool not allowed: ${name}`)
  return tool
}

// Arguments that are cut off are never mended: half of a list of files to delete is not what the model asked for.
async function validInput(
  tool: Tool | ClientTool,
  given: JsonObject | undefined,
  execution: ToolExecution,
): Promise<unknown> {
  if (given === undefined)
    throw failure('the tool was not run: its arguments are not a valid JSON object, or were cut off')
  const validated = tool.input['~standard'].validate(given)
  const result =
    validated instanceof Promise ? await inTime('runsOn' in tool ? {} : tool, execution, () => validated) : validated
  if (result.issues === undefined) return result.value
  const problems = result.issues.map(({ path, message }) => {
    const at = (path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
    return at === '' ? message : `${at}: ${message}`
  })
  throw failure(`the tool was not run: its arguments do not fit its schema: ${problems.join('; ')}`)
}

function startEvent(
  tool: Tool,
  { input, arguments: given }: Allowed,
  call: ToolCallBlock,
  { maxResultChars }: ToolExecution,
): EngineEvent {
  return {
    type: 'tool-execution-started',
    toolCallId: call.payload.id,
    toolName: tool.name,
    input: shownInput(tool, input, given, maxResultChars),
    ...(tool.effect !== undefined && { effect: tool.effect }),
  }
}

function shownInput(tool: Tool | ClientTool, input: unknown, given: JsonObject, maxChars: number): Json {
  const shown = 'mask' in tool && tool.mask !== undefined ? tool.mask(input) : given
  return toStoredJson('the masked input', shown, maxChars)
}

interface Allowed {
  readonly input: unknown
  readonly arguments: JsonObject
}
type Permit =
  | Allowed
  /** The call is not run, and this answers it. */
  | { readonly answer: ToolUseBlock }

/**
 * Whether the call may run, and with which input. It is asked for when the tool wants that, and when the call may have
 * run already and a second time could do harm; what was asked and decided before stays asked and decided.
 */
async function permitFor(tool: Tool, call: ToolCallBlock, execution: ToolExecution): Promise<Permit> {
  const given = toolArguments(call)
  const input = await validInput(tool, given, execution)
  const permit = { input, arguments: given ?? {} } // validInput refuses arguments that are none
  const past = execution.past.get(call.payload.id)
  const mayHaveRun = past?.isOpen === true
  if (mayHaveRun && tool.effect !== undefined) return permit
  if (mayHaveRun && execution.onUnknownOutcome === 'continue') return { answer: unknownOutcome(call.payload.id) }
  if (!mayHaveRun && !(await needsApproval(tool, input, execution))) return permit
  const reason = mayHaveRun ? 'outcome-unknown' : 'policy'
  const decision = await decisionOn(tool, permit, call, reason, execution)
  if (decision.decision === 'approved') {
    if (decision.input === undefined) return permit
    const edited = isJsonObject(decision.input) ? decision.input : undefined
    return { input: await validInput(tool, edited, execution), arguments: edited ?? {} }
  }
  if (mayHaveRun) return { answer: unknownOutcome(call.payload.id, decision.message) }
  throw notAllowed(decision, 'nobody approved it in time')
}

/** Waits before the tool where somebody wants to look; with other arguments the call is what they say. */
async function stepBefore(tool: Tool, permit: Permit, call: ToolCallBlock, execution: ToolExecution): Promise<Permit> {
  const { steps, context, emit, maxResultChars } = execution
  if ('answer' in permit) return permit
  const { id, name } = call.payload
  const input = shownInput(tool, permit.input, permit.arguments, maxResultChars)
  const { sessionId } = context.ids
  const summary = `Review the call of ${name}`
  const extra = { tool_call_id: id, tool_name: name, input }
  const step = steps?.pause({ sessionId, phase: 'before_tool', summary, extra })
  if (steps === undefined || step === undefined) return permit
  const { pauseId, deadlineMs } = step
  try {
    await emit({ type: 'debugger.pause', pauseId, phase: 'before_tool', summary, deadlineMs, extra: step.extra })
    const edit = await steps.wait(pauseId, AbortSignal.any([context.signal, context.leaving]))
    const given = edit?.arguments?.[id]
    if (edit === undefined) return permit
    await emit(editedBy(edit))
    return given === undefined ? permit : { input: await validInput(tool, given, execution), arguments: given }
  } finally {
    steps.continue(pauseId)
  }
}

/** The call as its client has answered it, who runs it. */
async function clientAnswer(tool: ClientTool, call: ToolCallBlock, execution: ToolExecution): Promise<ToolUseBlock> {
  const given = toolArguments(call)
  const permit = { input: await validInput(tool, given, execution), arguments: given ?? {} }
  const decision = await decisionOn(tool, permit, call, 'client-tool', execution)
  if (decision.decision !== 'approved') throw notAllowed(decision, 'nobody answered it in time')
  return toolResult(call.payload.id, toStoredJson('the result', decision.result, execution.maxResultChars))
}

function notAllowed({ decision, message }: ApprovalDecision, late: string): GeppettoError {
  const why = decision === 'expired' ? late : 'the user did not allow it'
  return failure(`the tool was not run: ${message ?? why}`)
}

async function needsApproval(tool: Tool, input: unknown, execution: ToolExecution): Promise<boolean> {
  return tool.needsApproval !== undefined && inTime(tool, execution, async () => tool.needsApproval?.(input) ?? false)
}

async function decisionOn(
  tool: Tool | ClientTool,
  permit: Allowed,
  call: ToolCallBlock,
  reason: ApprovalReason,
  { past, context, emit, maxResultChars, approvalTimeoutMs }: ToolExecution,
): Promise<ApprovalDecision> {
  const { sessionId, turnId } = context.ids
  const hash = approvalHash({ sessionId, turnId, toolName: tool.name, arguments: permit.arguments })
  const before = past.get(call.payload.id)?.approval
  if (before?.request.hash === hash) return before.decision ?? context.decision(before.request.approvalId)
  context.leaving.throwIfAborted()
  const approvalId = context.newId()
  await emit({
    type: 'approval-requested',
    toolCallId: call.payload.id,
    approvalId,
    toolName: tool.name,
    input: shownInput(tool, permit.input, permit.arguments, maxResultChars),
    reason,
    hash,
    expiresAt: new Date(context.clock.now() + approvalTimeoutMs).toISOString(),
  })
  return context.decision(approvalId)
}

/** What an approval is bound to, as SHA-256 (hex): nothing else may run under it. */
function approvalHash(bound: {
  readonly sessionId: string
  readonly turnId: string
  readonly toolName: string
  readonly arguments: JsonObject
}): string {
  return sha256Hex(canonicalJson(bound))
}

/** The key under which an effect of this call happens once, in this process and in one that goes on from it. */
function idempotencyKey(inferenceId: string, toolCallId: string): string {
  return sha256Hex(canonicalJson([inferenceId, toolCallId]))
}

async function attempt(tool: Tool, input: unknown, toolCallId: string, execution: ToolExecution): Promise<unknown> {
  const { context, emit, maxResultChars } = execution
  let hasEnded = false
  const execute = (signal: AbortSignal) => {
    const report = (given: Json) => {
      if (hasEnded || signal.aborted) return
      const progress = toStoredJson('the progress', given, maxResultChars)
      void emit({ type: 'tool-progress', toolCallId, toolName: tool.name, progress })
    }
    return tool.execute(input, {
      signal,
      ids: { ...context.ids, toolCallId },
      idempotencyKey: idempotencyKey(context.ids.inferenceId, toolCallId),
      clock: context.clock,
      report,
    })
  }
  try {
    return await inTime(tool, execution, execute, 'ends-in-grace')
  } finally {
    hasEnded = true
  }
}

/**
 * What `work` gives, unless the tool's time is up or the run is cancelled before; what the tool itself does may still
 * end in its grace then. Work that ignores its signal is left behind: how it ends is not heard.
 */
async function inTime<T>(
  tool: Pick<Tool, 'timeoutMs'>,
  { context, timeoutMs: defaultMs }: ToolExecution,
  work: (signal: AbortSignal) => T | Promise<T>,
  onCancel: 'ends-at-once' | 'ends-in-grace' = 'ends-at-once',
): Promise<T> {
  const timeoutMs = tool.timeoutMs ?? defaultMs
  const abort = new AbortController()
  const timeUp = Promise.withResolvers<never>()
  const end = (error: Error) => {
    timeUp.reject(error)
    abort.abort(error)
  }
  const stopWithRun = () => {
    const reason = context.signal.reason as Error // what the run was cancelled with
    if (onCancel === 'ends-at-once') return end(reason)
    cancelTimer()
    cancelTimer = context.clock.schedule(cancelGraceMs, () => timeUp.reject(new LeftBehind()))
    abort.abort(reason)
  }
  context.signal.throwIfAborted()
  context.signal.addEventListener('abort', stopWithRun, { once: true })
  let cancelTimer = context.clock.schedule(timeoutMs, () => end(new OutOfTime(timeoutMs)))
  try {
    return await Promise.race([timeUp.promise, startOf(() => work(abort.signal))])
  } finally {
    cancelTimer()
    context.signal.removeEventListener('abort', stopWithRun)
  }
}

// A function that throws at once fails in the same way as one that throws later.
async function startOf<T>(work: () => T | Promise<T>): Promise<T> {
  return work()
}

async function withRetries<T>({ effect }: Tool, { retry, context }: ToolExecution, run: () => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await run()
    } catch (error) {
      const mayHaveWorked = error instanceof OutOfTime && effect === undefined
      if (mayHaveWorked || retries >= retry.maxRetries || context.signal.aborted) throw error
      const rested = sleep(context.clock, retry.backoffMs * retry.backoffFactor ** retries, context.signal)
      await rested.catch(() => Promise.reject(error as Error)) // a cancel ends the wait, and this is how the call ended
    }
  }
}

function failure(message: string): GeppettoError {
  return new GeppettoError('TOOL_FAILED', message)
}
