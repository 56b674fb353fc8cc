import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { LogController, type FastifyReply } from 'fastify'
import { Refused } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Problem } from '../documents/problem.js'
import type { Api, Routes } from './fastify.js'
import type { ApiParts } from './parts.js'
import { problem, PROBLEM_TYPE, problemOf } from './problems.js'
import { measureRequests } from './request-metrics.js'
import { buildScriptRoutes } from './routes/build-scripts.js'
import { exchangeRoutes } from './routes/exchange.js'
import { garbageRoutes } from './routes/garbage.js'
import { imageRoutes } from './routes/images.js'
import { nodeRoutes } from './routes/node.js'
import { packageDataRoutes } from './routes/package-data.js'
import { packageRoutes } from './routes/packages.js'
import { pipelineRoutes } from './routes/pipelines.js'
import { policyRoutes } from './routes/policies.js'
import { resolutionRoutes } from './routes/resolution.js'
import { resourceRoutes } from './routes/resources.js'
import { runRoutes } from './routes/runs.js'
import { stagerRoutes } from './routes/stagers.js'
import { stagingLogRoutes } from './routes/staging-log.js'
import { stagingRoutes } from './routes/stagings.js'
import { compileValidator } from './validator.js'

const ROUTES: readonly Routes[] = [
  packageRoutes,
  packageDataRoutes,
  buildScriptRoutes,
  imageRoutes,
  resourceRoutes,
  exchangeRoutes,
  stagerRoutes,
  pipelineRoutes,
  policyRoutes,
  resolutionRoutes,
  stagingRoutes,
  stagingLogRoutes,
  runRoutes,
  nodeRoutes,
  garbageRoutes,
]

/** Documents alone; data streams past this. In bytes. */
const LONGEST_DOCUMENT = 4 * 1024 * 1024

/** How long an answer that is under way may take when the API closes, in milliseconds. */
const CLOSE_GRACE_MS = 1_000

/**
 * The control API, ready to listen or to be injected; it does neither by itself. `close` ends its streams first, so
 * that it need not wait for whoever follows a log.
 */
export function buildApi(parts: ApiParts): Api {
  const api: Api = Fastify({
    loggerInstance: parts.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: LONGEST_DOCUMENT,
    // Of the whole of a request: it would end a large slow upload. Uploads are watched by their pace instead.
    requestTimeout: 0,
    // A full name in a path is longer than the hundred characters of the default.
    routerOptions: { maxParamLength: 8192 },
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, problemOf(error)),
  }).withTypeProvider<TypeBoxTypeProvider>()
  const closing = new AbortController()
  const context = { parts, closing: closing.signal }

  api.removeContentTypeParser('text/plain')
  api.setValidatorCompiler(compileValidator)
  // What handlers return is typed by the schema already, and a list of 100 000 packages is not to be checked once more.
  api.setSerializerCompiler(() => (document) => JSON.stringify(document))
  api.setErrorHandler((error, request, reply) => {
    const found = problemOf(error)
    if (found.status === 500)
      request.log.error({ err: error, method: request.method, url: request.url }, 'request failed')
    return sendProblem(reply, found)
  })
  api.setNotFoundHandler((request, reply) => {
    const detail = `There is no ${request.method} ${quote(request.url)}: /openapi.json lists what there is.`
    return reply
      .code(404)
      .type(PROBLEM_TYPE)
      .send(problem(404, 'no-such-route', detail))
  })
  // Browsers say so when a page of another site asks; no tool of ours does. A page must not command this host.
  api.addHook('onRequest', (request, _reply, done) => {
    if (request.headers.origin === undefined) done()
    else done(new Refused('cross-origin', 'Web pages may not use this API: ask without an Origin header.'))
  })
  api.addHook('preClose', (done) => {
    closing.abort()
    // What streams has ended by now, but a client that stays connected could keep `close` waiting.
    setTimeout(() => api.server.closeAllConnections(), CLOSE_GRACE_MS).unref()
    done()
  })

  measureRequests(api, parts)
  void api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'stagerd', description: 'The control API of a staging daemon.', version: '1' },
    },
  })
  // Each in a scope of its own: the parser of one is not the parser of all.
  for (const routes of ROUTES)
    void api.register((scope, _options, done) => {
      routes(scope.withTypeProvider<TypeBoxTypeProvider>(), context)
      done()
    })
  void api.register((scope, _options, done) => {
    scope.get('/openapi.json', { schema: { hide: true } }, () => api.swagger())
    done()
  })
  return api
}

function sendProblem(reply: FastifyReply, found: Problem): FastifyReply {
  return reply.code(found.status).type(PROBLEM_TYPE).send(found)
}
