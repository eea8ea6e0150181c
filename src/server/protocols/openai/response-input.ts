import type { InferenceEvent } from '../../../events/event.ts'
import type { JsonObject } from '../../../json.ts'
import type { Block } from '../../../turns/block.ts'
import { imageSource } from '../../../turns/image.ts'
import { foldResponse } from './response-fold.ts'
import { approvalItemId, functionCall, jsonText, type Item } from './response-item.ts'
import { emptyResponse } from './response-state.ts'

/** What a response was asked with, from the log: the prompt and what came with it, or the answers to the part before. */
export async function inputItems(events: AsyncIterable<InferenceEvent>, part: number): Promise<readonly Item[]> {
  let state = emptyResponse
  const items: Item[] = []
  for await (const event of events) {
    if (part === 0 && event.type === 'prompt-accepted') {
      const { before = [], block, after = [] } = event
      return [...before, block, ...after].flatMap(itemOf)
    }
    if (event.type === 'approval-decided' && state.part === part - 1) items.push(answerItem(event))
    ;[state] = foldResponse(state, event)
    if (state.part >= part) return items
  }
  return items
}

function answerItem({
  approvalId,
  toolCallId,
  decision,
  result,
  message,
}: Extract<InferenceEvent, { type: 'approval-decided' }>): Item {
  if (result === undefined) {
    const why = message === undefined ? {} : { reason: message }
    return {
      id: `${approvalItemId(approvalId)}_answer`,
      type: 'mcp_approval_response',
      approval_request_id: approvalItemId(approvalId),
      approve: decision === 'approved',
      ...why,
    }
  }
  return outputItem(approvalId, toolCallId, jsonText(result))
}

function outputItem(id: string, callId: string, output: string): Item {
  return { id: `fco_${id}`, type: 'function_call_output', call_id: callId, output, status: 'completed' }
}

function itemOf(block: Block, index: number): readonly Item[] {
  const id = `msg_${block.id ?? index}`
  const message = { id, type: 'message', status: 'completed' }
  switch (block.kind) {
    case 'system':
      return [{ ...message, role: 'system', content: [{ type: 'input_text', text: block.payload.text }] }]
    case 'user': {
      const { text, images = [] } = block.payload
      const parts = images.map((image): JsonObject => {
        const source = imageSource(image)
        const url =
          source.from === 'url'
            ? source.url
            : source.from === 'bytes'
              ? `data:${source.mediaType};base64,${source.base64}`
              : ''
        return { type: 'input_image', detail: image.detail ?? 'auto', image_url: url, file_id: null }
      })
      return [{ ...message, role: 'user', content: [{ type: 'input_text', text }, ...parts] }]
    }
    case 'llm_text':
      return [
        {
          ...message,
          role: 'assistant',
          content: [{ type: 'output_text', text: block.payload.text, annotations: [] }],
        },
      ]
    case 'tool_call':
      return [
        functionCall(`fc_${block.id ?? index}`, block.payload.id, block.payload.name, block.payload.args, 'completed'),
      ]
    case 'tool_use': {
      const { id: callId, error, result = null } = block.payload
      return [outputItem(block.id ?? callId, callId, error ?? jsonText(result))]
    }
    case 'reasoning':
    case 'other':
      return []
  }
}
