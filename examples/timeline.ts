import { applyTimeline, calculator, emptyTimeline, entitiesOf, scripted, Session, toolLoop } from 'geppetto'

const session = new Session({ engine: toolLoop(scripted({ pace: 0 }), [calculator]) })
session.prompt('What is 17 * 23?')

let timeline = emptyTimeline()
for await (const event of session.startInference()) timeline = applyTimeline(timeline, event)

for (const entity of entitiesOf(timeline)) {
  if (entity.kind === 'message') console.log(entity.role, '|', entity.text)
  if (entity.kind === 'tool-call') console.log(entity.toolName, entity.status, '|', entity.result)
  if (entity.kind === 'inference') console.log('inference', entity.status)
}
