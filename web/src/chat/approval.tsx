import { useState } from 'react'
import type { ApprovalView } from 'geppetto/timeline'
import { messageOf } from '../../../src/errors.ts'
import { Button } from '../design/button.tsx'
import { TextArea, TextField } from '../design/field.tsx'
import { useSession } from '../session/client.tsx'
import { isJsonObject, type Json } from '../session/json.ts'

const reasons: Readonly<Record<ApprovalView['reason'], string>> = {
  policy: 'This tool runs only when somebody allows it.',
  'outcome-unknown': 'The server stopped while this ran: it may have happened already. Run it again?',
  'client-tool': 'This tool does not run on the server: give what it is to answer.',
}

/** A decision that a call waits for, with the arguments to look over and change. */
export function Approval({
  sessionId,
  approval,
  input,
}: {
  readonly sessionId: string
  readonly approval: ApprovalView
  readonly input: Json
}) {
  const session = useSession(sessionId)
  const given = JSON.stringify(input, null, 2)
  const isClientTool = approval.reason === 'client-tool'
  const [text, setText] = useState(isClientTool ? '' : given)
  const [message, setMessage] = useState('')
  const [problem, setProblem] = useState<string>()
  const [isSending, setIsSending] = useState(false)
  const { approvalId, hash, expiresAt } = approval

  const decide = async (decision: Promise<void>) => {
    setIsSending(true)
    await decision.catch((error: unknown) => setProblem(messageOf(error)))
    setIsSending(false)
  }
  const allow = () => {
    setProblem(undefined)
    if (isClientTool) return void decide(session.approve(approvalId, { result: jsonOrText(text), hash }))
    if (text === given) return void decide(session.approve(approvalId, { hash }))
    const edited = parse(text)
    if (isJsonObject(edited)) return void decide(session.approve(approvalId, { input: edited, hash }))
    setProblem('The arguments must be a JSON object.')
  }
  const deny = () => void decide(session.deny(approvalId, message.trim() === '' ? undefined : message))

  return (
    <form
      className="space-y-2"
      onSubmit={(event) => {
        event.preventDefault()
        allow()
      }}
    >
      <p className="text-sm text-ink-soft">
        {reasons[approval.reason]}
        {expiresAt !== undefined && ` Until ${new Date(expiresAt).toLocaleTimeString()}.`}
      </p>
      <TextArea
        label={isClientTool ? 'Result' : 'Arguments'}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === 'Enter' && (event.metaKey || event.ctrlKey) && allow()}
        rows={Math.min(Math.max(text.split('\n').length, 2), 14)}
        spellCheck={false}
        className="font-mono text-[13px]"
      />
      {problem !== undefined && (
        <p role="alert" className="text-sm text-negative">
          {problem}
        </p>
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Button type="submit" tone="accent" icon="check" disabled={isSending}>
          {isClientTool ? 'Answer' : text === given ? 'Allow' : 'Allow with these arguments'}
        </Button>
        <Button tone="negative" icon="close" disabled={isSending} onClick={deny}>
          Deny
        </Button>
        <TextField
          label="What the model is told when you deny"
          placeholder="Reason, for the model"
          value={message}
          onChange={(event) => setMessage(event.target.value)}
          className="min-w-32 flex-1"
        />
      </div>
    </form>
  )
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json // that is what it gives
  } catch {
    return undefined
  }
}

function jsonOrText(text: string): Json {
  return parse(text) ?? text
}
