import { answerText, scripted, Session } from 'geppetto'

const script = `
- when: my name is (\\w+)
  reply:
    - text: Hello, {{1}}.
- reply:
    - text: I only know names.
`
const session = new Session({ engine: scripted({ script, pace: 0 }) }) // pace 0: no pause between words
session.prompt('Hi, my name is Ada')
console.log(answerText(await session.startInference().result))
