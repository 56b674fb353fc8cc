import type { IncomingMessage } from 'node:http'
import fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { downloadData, uploadData } from './data-operations.js'
import type { StagerRequest } from './stager-request.js'
import { VERDICTS } from './http-session.js'
import { alterMetadata, readMetadata } from './metadata-operations.js'
import { takeSnapshot } from './snapshot-operation.js'
import { assertAddresses, isOperation, OPERATIONS } from './stager-address.js'
import { answerTo, StagerRefusal } from './stager-answer.js'

export type ExchangeOf = (request: IncomingMessage) => StagerRequest

/**
 * The eight operations as routes, built once for all launches. It never listens: every launch's own server routes its
 * requests into it, and `exchangeOf` says which launch a request belongs to.
 */
export function buildStagerApi(logger: Pick<Logger, 'error'>, exchangeOf: ExchangeOf): FastifyInstance {
  const api = fastify({ logger: false, routerOptions: { ignoreTrailingSlash: false }, exposeHeadRoutes: false })

  // Bodies are read by the operations themselves: an upload is a stream, and forms have limits of their own.
  api.removeAllContentTypeParsers()
  api.addContentTypeParser('*', (_request, _payload, done) => done(null))

  api.addHook('onRequest', (request, _reply, done) => {
    const { address, session } = exchangeOf(request.raw)
    assertAddresses(address, session.handler.launch)
    const repeatsVerdict = request.method === 'POST' && address.operation === session.given
    if (!repeatsVerdict) session.assertCurrent()
    done()
  })

  api.get('/data', (request, reply) => downloadData(exchangeOf(request.raw), reply))
  api.post('/data', (request) => uploadData(exchangeOf(request.raw)))
  api.get('/meta', (request, reply) => readMetadata(exchangeOf(request.raw), reply))
  // PUT is the Stager API's; the oldest client posts.
  api.route({
    method: ['PUT', 'POST'],
    url: '/meta',
    handler: (request) => alterMetadata(exchangeOf(request.raw)),
  })
  api.post('/snapshot', (request) => takeSnapshot(exchangeOf(request.raw)))
  for (const verdict of VERDICTS)
    api.post(`/${verdict}`, async (request) => {
      const exchange = exchangeOf(request.raw)
      // Empty as a rule; if one was announced, half of it does not make a verdict.
      await exchange.readBody()
      await exchange.session.verdict(exchange, verdict)
      return 'OK'
    })

  api.setNotFoundHandler((request) => {
    const { operation } = exchangeOf(request.raw).address
    throw new StagerRefusal(499, isOperation(operation) ? wrongMethod(request.method, operation) : unknown(operation))
  })

  api.setErrorHandler((error, request, reply) => {
    const exchange = exchangeOf(request.raw)
    const answer = answerTo(error)
    if (answer.ours && !exchange.signal.aborted)
      logger.error(
        {
          err: error,
          launch: exchange.session.handler.launch,
          method: request.method,
          operation: exchange.address.operation,
        },
        'the request of a stager failed on our side',
      )
    reply.hijack()
    exchange.refuse(answer.status, answer.text)
  })

  return api
}

const METHODS: Record<(typeof OPERATIONS)[number], string> = {
  data: 'GET or POST',
  meta: 'GET or PUT',
  snapshot: 'POST',
  done: 'POST',
  failed: 'POST',
  relaunch: 'POST',
}

function wrongMethod(method: string, operation: keyof typeof METHODS): string {
  return `${method} is not a method of ${operation}: use ${METHODS[operation]}.`
}

function unknown(operation: string): string {
  const what =
    operation === ''
      ? 'The request names no operation'
      : `${JSON.stringify(operation.slice(0, 80))} is not an operation`
  return `${what}: the operations are ${OPERATIONS.join(', ')}.`
}
