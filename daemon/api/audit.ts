import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../access/caller.js'
import type { Callers } from '../access/callers.js'
import { changes } from './access.js'
import type { Api } from './fastify.js'

/** `accepted`: the work goes on after the answer, which says how it ends. */
type Outcome = 'done' | 'accepted' | 'refused' | 'failed' | 'abandoned'

/**
 * One line for each change that was asked for through the API, and for each login that failed: who, what, and the outcome.
 * docs/access.md describes its fields.
 */
export class Audit {
  readonly #logger: Pick<FastifyBaseLogger, 'info'>

  /** The lines are written at every level but `silent`. */
  constructor(
    logger: FastifyBaseLogger,
    private readonly callers: Pick<Callers, 'passedOn'>,
  ) {
    this.#logger = logger.level === 'silent' ? logger : logger.child({}, { level: 'info' })
  }

  addTo(api: Api): void {
    // When the head of the answer is ready: some answers take hours.
    api.addHook('onSend', (request, reply, _payload, done) => {
      this.#write(request, reply, outcomeOf(reply))
      done()
    })
    api.addHook('onResponse', (request, reply, done) => {
      this.#write(request, reply, 'abandoned')
      done()
    })
  }

  loginFailed(request: FastifyRequest, code: string): void {
    const audit = { operation: 'login', by: 'nobody', from: request.socket.remoteAddress, outcome: 'refused', code }
    this.#logger.info({ audit }, 'audit')
  }

  #write(request: FastifyRequest, reply: FastifyReply, outcome: Outcome): void {
    const { caller, routeOptions, notes, method, socket } = request
    const passedOn = this.callers.passedOn(request)
    const { access } = routeOptions.config
    if (access === undefined || !changes(access, method) || caller.kind === 'nobody' || notes.written === true) return
    notes.written = true
    const { targets, receivers, problem } = notes
    const made = reply.getHeader('location')
    this.#logger.info(
      {
        audit: {
          operation: routeOptions.schema?.operationId,
          ...who(caller, passedOn ? passedOn.from : socket.remoteAddress),
          ...(passedOn ? { through: passedOn.through } : {}),
          targets,
          ...(receivers === undefined ? {} : { receivers }),
          outcome,
          ...(outcome === 'abandoned' ? {} : { status: reply.statusCode }),
          ...(made === undefined ? {} : { made }),
          ...(problem === undefined ? {} : { code: problem }),
        },
      },
      'audit',
    )
  }
}

function who(caller: Exclude<Caller, { kind: 'nobody' }>, address: string | undefined) {
  switch (caller.kind) {
    case 'socket':
      // Node.js does not tell whose process is at the other end.
      return { by: 'socket' }
    case 'token':
      return { by: 'token', token: caller.token.name, token_uuid: caller.token.uuid, from: address }
  }
}

function outcomeOf(reply: FastifyReply): Outcome {
  const { statusCode } = reply
  if (statusCode >= 500) return 'failed'
  if (statusCode >= 400) return 'refused'
  return statusCode === 202 || reply.getHeader('content-type') === 'application/x-ndjson' ? 'accepted' : 'done'
}
