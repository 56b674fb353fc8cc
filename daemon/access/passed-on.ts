import type { IncomingHttpHeaders } from 'node:http'
import type { Caller } from './caller.js'

/** What a node says of a request that it passes on to another. */
export interface PassedOn {
  /** UUID of the node that its client has asked. */
  readonly through: string
  /** UUID of the node that is to answer it. */
  readonly to: string
  /** Address of the client; undefined for one of a control socket. */
  readonly from: string | undefined
}

/** Heard only over connections of nodes. From anybody else they mean nothing. */
export const HEADERS = {
  caller: 'stagerd-caller',
  through: 'stagerd-through',
  to: 'stagerd-to',
  from: 'stagerd-from',
} as const

/** `caller`: who asks; it has been asked who it is. */
export function headersOf(caller: Caller, { through, to, from }: PassedOn): Record<string, string> {
  return {
    ...(caller.kind === 'nobody' ? {} : { [HEADERS.caller]: caller.kind === 'socket' ? 'socket' : caller.token.uuid }),
    [HEADERS.through]: through,
    [HEADERS.to]: to,
    ...(from === undefined ? {} : { [HEADERS.from]: from }),
  }
}

export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
