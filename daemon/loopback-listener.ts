import { once } from 'node:events'
import { createServer } from 'node:http'
import type { CleanupStack } from '../base/cleanup-stack.js'
import { BadInput, Conflict, errnoOf, messageOf } from '../base/errors.js'
import type { Api } from './api/fastify.js'
import { isForLoopback, refuseForeignHost } from './loopback-host.js'
import type { ListenAddress } from './settings/parse-value.js'

/**
 * Serve the API on a TCP port as well. It takes a server of its own, because Fastify listens on the control socket and
 * supports one address only. As there, nothing limits the time of a whole request: uploads have a limit on stalling.
 *
 * Throws `Conflict` (`address-in-use`), `BadInput` (`bad-listen`).
 *
 * @param undo gets the end of the server
 */
export async function listenOnLoopback(
  api: Pick<Api, 'routing'>,
  address: ListenAddress,
  undo: CleanupStack,
): Promise<void> {
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    if (isForLoopback(request)) api.routing(request, response)
    else refuseForeignHost(response)
  })
  undo.defer('close the TCP port', () => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(address)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw listenError(error, address)
  }
}

function listenError(error: unknown, { host, port }: ListenAddress): Error {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  if (errnoOf(error) === 'EADDRINUSE')
    return new Conflict(
      'address-in-use',
      `Another program listens on ${address}: stop it, or use another address with --listen.`,
      { cause: error },
    )
  return new BadInput(
    'bad-listen',
    `stagerd cannot listen on ${address} (${messageOf(error)}): use another address with --listen.`,
    { cause: error },
  )
}
