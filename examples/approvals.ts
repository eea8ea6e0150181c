import { defineTool, scripted, Session, toolLoop } from 'geppetto'
import * as z from 'zod'

const refund = defineTool({
  name: 'refund',
  description: 'Pays money back.',
  input: z.object({ cents: z.number().int() }),
  needsApproval: ({ cents }) => cents > 1_000,
  // The same key for every execution of this call, after a crash too: the payment service pays once.
  effect: 'idempotent',
  execute: ({ cents }, { idempotencyKey }) => ({ refunded: cents, key: idempotencyKey.length }),
})

const session = new Session({ engine: toolLoop(scripted({ pace: 0 }), [refund]) })
session.prompt('call refund {"cents": 9900}')
const inference = session.startInference()
for await (const event of inference) {
  if (event.type === 'approval-requested') {
    console.log('asks for', event.toolName, event.input)
    inference.decide(event.approvalId, { decision: 'approved', input: { cents: 5000 }, by: 'ada' })
  }
  if (event.type === 'tool-result-ready') console.log(event.status, event.block.payload.result)
}
