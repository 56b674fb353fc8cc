import { setMaxListeners } from 'node:events'
import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyReply } from 'fastify'
import type { Registry } from 'prom-client'
import { Refused } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Callers } from '../access/callers.js'
import { RETRY_AFTER_SECONDS } from '../access/failed-logins.js'
import type { Problem } from '../documents/problem.js'
import { HOLDERS } from './access.js'
import { Audit } from './audit.js'
import type { Api, Routes } from './fastify.js'
import { guard } from './guard.js'
import { PassOn, type PassOnParts } from './pass-on.js'
import type { Places } from './places.js'
import { answerBadHttp } from './answer-bad-http.js'
import { problem, PROBLEM_TYPE, problemOf } from './problems.js'
import { measureRequests } from './request-metrics.js'
import { SECURITY_SCHEMES } from './security.js'
import { compileValidator } from './validator.js'

export interface ServerParts {
  readonly logger: FastifyBaseLogger
  /** Gets the metrics of the requests. */
  readonly registry: Registry
  readonly callers: Callers
  readonly places: Pick<Places, 'visible'>
  /** To other nodes. */
  readonly passOn: Omit<PassOnParts, 'callers'>
  readonly routes: readonly Routes[]
}

/** Limit of a JSON document, in bytes. Uploads are streamed and do not count. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024

/** How long answers may take to finish when the API closes, in milliseconds. */
const CLOSE_GRACE_MS = 1_000

/**
 * What all routes have in common: validation, errors, metrics, OpenAPI. The result can be listened on or injected.
 * `close` ends the streams first, so that it does not wait for a client that follows a log.
 */
export function buildServer({ logger, registry, callers, places, passOn: parts, routes }: ServerParts): Api {
  const api: Api = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_DOCUMENT_BYTES,
    // It limits the whole request, and so would end a large slow upload. Uploads have a limit on stalling instead.
    requestTimeout: 0,
    // A URL-encoded FQN may exceed the default of 100 characters.
    routerOptions: { maxParamLength: 8192 },
    clientErrorHandler(error, socket) {
      answerBadHttp(socket, error.code)
    },
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, problemOf(error)),
  }).withTypeProvider<TypeBoxTypeProvider>()
  const closing = new AbortController()
  // One for each answer that lasts, such as a log that is followed.
  setMaxListeners(0, closing.signal)

  api.removeContentTypeParser('text/plain')
  api.setValidatorCompiler(compileValidator)
  // The compiler checks what handlers return. Checking a list of 100 000 packages again would be slow.
  api.setSerializerCompiler(() => (document) => JSON.stringify(document))
  api.setErrorHandler((error, request, reply) => {
    const found = problemOf(error)
    request.notes.problem = found.code
    if (found.status === 500)
      request.log.error({ err: error, method: request.method, url: request.url }, 'request failed')
    return sendProblem(reply, found)
  })
  api.setNotFoundHandler((request, reply) => {
    const detail = `There is no ${request.method} ${quote(request.url)}: see /openapi.json for all routes.`
    return sendProblem(reply, problem(404, 'no-such-route', detail))
  })
  // The order of these hooks is what the API is safe by. Of each phase of a request, they run in the order in which they are added:
  // - onRequest: the guard finds out who asks, and whether that caller may use the route at all. Then, what is meant for another node
  //   is refused. Both come before the body is read, and before any preHandler: so nothing is passed on for nobody.
  // - preHandler `asked`: passes on without a look at the targets, because only the other node may know them. Its guard judges
  //   them there, in the same way, for the same caller.
  // - preHandler of the guard: judges the targets of what is answered here.
  // - preHandler `kept`: finds the node by a staging, so it must come after that judgement. Else anybody could ask where it is.
  const audit = new Audit(logger, callers)
  const passOn = new PassOn({ ...parts, callers })
  passOn.add(api, 'asked', closing.signal)
  guard(api, { callers, places, audit })
  passOn.addAddressee(api)
  passOn.add(api, 'kept', closing.signal)
  audit.addTo(api)
  // Browsers send Origin when a page asks; none of our tools does. A web page must not control this host.
  api.addHook('onRequest', (request, _reply, done) => {
    if (request.headers.origin === undefined) done()
    else done(new Refused('cross-origin', 'Web pages may not use this API: send no Origin header.'))
  })
  api.addHook('preClose', (done) => {
    closing.abort()
    // Streams end with `closing`, but a client that keeps its connection open would still delay `close`.
    setTimeout(() => api.server.closeAllConnections(), CLOSE_GRACE_MS).unref()
    done()
  })

  measureRequests(api, registry)
  void api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'stagerd', description: 'The control API of a staging daemon.', version: '1' },
      components: { securitySchemes: SECURITY_SCHEMES },
    },
  })
  // One scope each, because some replace the content type parsers.
  for (const declare of routes)
    void api.register((scope, _options, done) => {
      declare(scope.withTypeProvider<TypeBoxTypeProvider>(), closing.signal)
      done()
    })
  void api.register((scope, _options, done) => {
    scope.get('/openapi.json', { access: HOLDERS, schema: { hide: true } }, () => api.swagger())
    done()
  })
  return api
}

function sendProblem(reply: FastifyReply, found: Problem): FastifyReply {
  if (found.status === 401) void reply.header('www-authenticate', 'Bearer')
  if (found.status === 429) void reply.header('retry-after', RETRY_AFTER_SECONDS)
  return reply.code(found.status).type(PROBLEM_TYPE).send(found)
}
