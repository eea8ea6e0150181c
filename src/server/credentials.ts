import type { Credentials } from './principal.ts'

/**
 * What a request carries of its caller. A token is taken from the header alone, or, for a socket, from its subprotocol
 * `bearer.TOKEN`: in an address it would stand in logs and histories.
 */
export function credentialsOf({ headers }: Pick<Request, 'headers'>): Credentials {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.get('authorization') ?? '')?.[1] ?? headers.get('x-api-key')
  const inProtocol = headers.get('upgrade') === null ? undefined : protocolToken(headers.get('sec-websocket-protocol'))
  const token = bearer ?? inProtocol
  return token === undefined || token === null ? {} : { bearer: token }
}

function protocolToken(protocols: string | null): string | undefined {
  const offered = (protocols ?? '').split(',').map((name) => name.trim())
  return offered.find((name) => name.startsWith('bearer.'))?.slice('bearer.'.length)
}
