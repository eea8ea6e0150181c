import * as v from 'valibot'
import { ticketSchema } from '../auth-tickets.ts'
import type { Api } from '../openapi.ts'
import {
  acceptedSchema,
  logPageSchema,
  profileSchema,
  requestItemSchema,
  sessionSchema,
  snapshotSchema,
  stepsAnswerSchema,
  traceSchema,
  turnItemSchema,
  turnPageSchema,
} from './answers.ts'
import {
  cancelSchema,
  continueSchema,
  createSchema,
  decideSchema,
  forkSchema,
  messageSchema,
  renameSchema,
  stepsSchema,
} from './commands.ts'
import { logQuery, pageQuery, snapshotQuery } from './queries.ts'
import { turnsQuery } from './turns.ts'

const json = (schema: v.GenericSchema) => ({ 'application/json': schema })
const id = v.object({ session_id: v.string() })
const turnsAs = { ...json(turnPageSchema), 'application/yaml': v.string() }
const { turn_id: _turn, ...ofTurn } = turnsQuery.entries

const keyHeaders = {
  'idempotency-key': 'The same key gives the same answer, however often it is sent.',
  'x-idempotency-key': 'The same, under an older name.',
}

/** Our own API, for its document. Each row is a route of routes.ts (or the one of tickets), and the reverse. */
export const operations: Api = {
  title: 'Geppetto',
  version: '1',
  shapes: {
    Session: sessionSchema,
    SessionSnapshot: snapshotSchema,
    Accepted: acceptedSchema,
    TurnItem: turnItemSchema,
    TurnPage: turnPageSchema,
    ModelRequest: requestItemSchema,
    Steps: stepsAnswerSchema,
    Profile: profileSchema,
    LogPage: logPageSchema,
    Trace: traceSchema,
  },
  parameters: {
    id: 'The session.',
    approval: 'The approval that is waited for.',
    pause: 'The pause that a run waits at.',
    turn: 'A turn of the session.',
    name: 'Any id: of a session, turn, inference, provider call, tool call or approval.',
  },
  operations: [
    {
      ...{ method: 'post', path: '/sessions', name: 'createSession', summary: 'Makes an empty session.' },
      headers: keyHeaders,
      body: { schema: createSchema, isOptional: true },
      answer: { status: 201, content: json(id) },
    },
    {
      ...{ method: 'get', path: '/sessions', name: 'listSessions' },
      summary: 'The sessions, the one that changed last first; `before` of the answer leads to the next page.',
      query: pageQuery,
      answer: {
        status: 200,
        content: json(v.object({ sessions: v.array(sessionSchema), before: v.optional(v.string()) })),
      },
    },
    {
      ...{ method: 'get', path: '/sessions/:id', name: 'getSession' },
      summary: 'Where a session stands, and what a person sees of its end.',
      query: snapshotQuery,
      answer: { status: 200, content: json(snapshotSchema) },
    },
    {
      ...{ method: 'patch', path: '/sessions/:id', name: 'renameSession' },
      summary: 'Gives a session a name.',
      body: { schema: renameSchema },
      answer: { status: 200, content: json(v.object({ session_id: v.string(), title: v.string() })) },
    },
    {
      ...{ method: 'delete', path: '/sessions/:id', name: 'deleteSession' },
      summary: 'Cancels what runs and removes all of a session.',
      answer: { status: 204, content: {} },
    },
    {
      ...{ method: 'post', path: '/sessions/:id/messages', name: 'submitMessage' },
      summary: 'Accepts a prompt: it is stored, and will be answered.',
      headers: keyHeaders,
      body: { schema: messageSchema },
      answer: { status: 202, content: json(acceptedSchema) },
    },
    {
      ...{ method: 'post', path: '/sessions/:id/cancel', name: 'cancelInference' },
      summary: 'Asks an inference to stop, by default the one that runs.',
      body: { schema: cancelSchema, isOptional: true },
      answer: {
        status: 202,
        content: json(v.object({ session_id: v.string(), status: v.picklist(['cancelling', 'ended']) })),
      },
    },
    {
      ...{ method: 'post', path: '/sessions/:id/fork', name: 'forkSession' },
      summary: 'Begins a session that goes on from a turn of this one, by default the latest.',
      headers: keyHeaders,
      body: { schema: forkSchema, isOptional: true },
      answer: { status: 201, content: json(v.object({ session_id: v.string(), origin: id })) },
    },
    {
      ...{ method: 'post', path: '/sessions/:id/approvals/:approval', name: 'decideApproval' },
      summary: 'Answers an approval, or gives the result of a tool that the client runs.',
      body: { schema: decideSchema },
      answer: {
        status: 202,
        content: json(
          v.object({ session_id: v.string(), approval_id: v.string(), decision: v.picklist(['approved', 'denied']) }),
        ),
      },
    },
    {
      ...{ method: 'get', path: '/sessions/:id/steps', name: 'getSteps' },
      summary: 'Where the runs of the session wait for somebody to look, and the pauses that last now.',
      answer: { status: 200, content: json(stepsAnswerSchema) },
    },
    {
      ...{ method: 'post', path: '/sessions/:id/steps', name: 'setSteps' },
      summary: 'Whether the runs of the session wait between their steps, and where.',
      body: { schema: stepsSchema },
      answer: { status: 200, content: json(stepsAnswerSchema) },
    },
    {
      ...{ method: 'post', path: '/sessions/:id/steps/:pause', name: 'continueStep' },
      summary: 'Lets a run go on that waits at a step, with edits where they are given.',
      body: { schema: continueSchema, isOptional: true },
      answer: {
        status: 202,
        content: json(v.object({ session_id: v.string(), pause_id: v.string(), status: v.literal('continued') })),
      },
    },
    {
      ...{ method: 'get', path: '/sessions/:id/events', name: 'followSession' },
      summary: 'The events of the session as an event stream, those to come too; each message has its ordinal as id.',
      query: v.object({ after: v.optional(v.string()), ticket: v.optional(v.string()) }),
      headers: { 'last-event-id': 'The last ordinal that is known; it wins over `after`.' },
      answer: { status: 200, content: { 'text/event-stream': v.string() } },
    },
    {
      ...{ method: 'get', path: '/sessions/:id/turns', name: 'listTurns' },
      summary:
        'The snapshots of the turns, in the order in which they were taken: the last ones, or those of one turn.',
      query: turnsQuery,
      answer: { status: 200, content: turnsAs },
    },
    {
      ...{ method: 'get', path: '/sessions/:id/turns/:turn', name: 'getTurn' },
      summary: 'The snapshots of one turn.',
      query: v.object(ofTurn),
      answer: { status: 200, content: turnsAs },
    },
    {
      ...{ method: 'get', path: '/sessions/:id/turns/:turn/request', name: 'getModelRequests' },
      summary: 'The requests that a turn sent to its model, for callers that may inspect.',
      answer: { status: 200, content: json(v.object({ items: v.array(requestItemSchema) })) },
    },
    {
      ...{ method: 'get', path: '/sessions/:id/log', name: 'readLog' },
      summary: 'A page of the log as it is, for callers that may inspect.',
      query: logQuery,
      answer: { status: 200, content: json(logPageSchema) },
    },
    {
      ...{ method: 'get', path: '/sessions/:id/export', name: 'exportSession' },
      summary: 'The whole session as a file of JSON lines, for callers that may inspect.',
      answer: { status: 200, content: { 'application/jsonl': v.string() } },
    },
    {
      ...{ method: 'get', path: '/trace/:name', name: 'trace' },
      summary: 'The whole story of any id, for callers that may inspect.',
      answer: { status: 200, content: json(traceSchema) },
    },
    {
      ...{ method: 'get', path: '/profiles', name: 'listProfiles' },
      summary: 'Who can answer; the first is the default.',
      answer: { status: 200, content: json(v.object({ profiles: v.array(profileSchema) })) },
    },
    {
      ...{ method: 'post', path: '/tickets', name: 'createTicket' },
      summary: 'A ticket that stands for the credentials in one session, once, for clients that cannot send headers.',
      body: { schema: ticketSchema },
      answer: {
        status: 201,
        content: json(
          v.object({ ticket: v.string(), session_id: v.string(), expires_at: v.pipe(v.string(), v.isoTimestamp()) }),
        ),
      },
    },
    {
      ...{ method: 'get', path: '/openapi.json', name: 'getDocument', summary: 'This document.' },
      answer: { status: 200, content: json(v.looseObject({ openapi: v.string() })) },
    },
  ],
}
