import { Type } from 'typebox'
import { Conflict, NotFound } from '../../../base/errors.js'
import { assertCommand, assertEnvironment, assertUser } from '../../packages/validate.js'
import type { PackageRuns } from '../../runs/package-runs.js'
import type { RunningProgram, RunRequest } from '../../runs/run.js'
import { RunDraft, RunEvent } from '../../documents/run.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { parseLimits } from '../../documents/convert-limits.js'
import { RunEventStream } from '../run-event-stream.js'
import { streamSignal } from '../stream-signal.js'
import { NoQuery, Nothing, REFUSALS, streamed, UuidPath } from './schemas.js'

export interface RunRoutesParts {
  readonly runs: Pick<PackageRuns, 'start'>
}

/** Runs a ready package in the foreground: the answer lasts as long as the program, and the program as long as the client. */
export function runRoutes(api: Api, { runs }: RunRoutesParts, closing: AbortSignal): void {
  const tags = ['runs']
  const running = new Map<string, { readonly program: RunningProgram; readonly input: boolean }>()
  // The handler reads the body itself.
  api.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null))

  const programOf = (uuid: string) => {
    const found = running.get(uuid)
    if (!found) throw new NotFound('run-not-found', `There is no run ${uuid}: it has ended, or it never existed.`)
    return found
  }

  api.post(
    '/v1/runs',
    {
      schema: {
        operationId: 'startRun',
        tags,
        querystring: NoQuery,
        body: RunDraft,
        response: { 200: streamed('one RunEvent per line', 'application/x-ndjson', RunEvent), ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      const request = requestOf(body)
      const signal = streamSignal(reply, closing)
      const events = new RunEventStream(signal)
      const program = await runs.start(request, events, signal)
      running.set(program.id, { program, input: request.input })
      signal.addEventListener('abort', () => program.stop(), { once: true })
      if (signal.aborted) program.stop()
      void events.follow(program).finally(() => running.delete(program.id))
      return reply.header('content-type', 'application/x-ndjson').header('cache-control', 'no-store').send(events.body)
    },
  )

  // The last output and the exit code go to the client that started the run.
  api.post(
    '/v1/runs/:uuid/stop',
    {
      schema: {
        operationId: 'stopRun',
        tags,
        params: UuidPath,
        querystring: NoQuery,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params: { uuid } }, reply) => {
      programOf(uuid).program.stop()
      return await reply.code(204).send(null)
    },
  )

  api.post(
    '/v1/runs/:uuid/input',
    {
      schema: {
        operationId: 'sendRunInput',
        tags,
        description: 'Passes the body to a program that was started with `input`, then closes its standard input.',
        params: UuidPath,
        querystring: NoQuery,
        body: { content: { 'application/octet-stream': { schema: Type.Unknown() } } },
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params: { uuid }, raw }, reply) => {
      const found = programOf(uuid)
      if (!found.input)
        throw new Conflict('no-input', `The run ${uuid} takes no input, or has it already: start it with "input".`)
      running.set(uuid, { ...found, input: false })
      // A program can end before it has read everything.
      await Promise.race([found.program.input(raw), found.program.ended])
      return await reply.code(204).send(null)
    },
  )
}

function requestOf(draft: RunDraft): RunRequest {
  const { command, input = false, user, environment = {}, publish = [], allow_egress: egress = false, limits } = draft
  if (command !== undefined) assertCommand(command)
  if (user !== undefined) assertUser(user)
  assertEnvironment(environment)
  return {
    package: parseRef(draft.package, 'package'),
    ...(command === undefined ? {} : { command }),
    input,
    ...(user === undefined ? {} : { user }),
    environment,
    publish: publish.map(({ container_port, host_port }) => ({ containerPort: container_port, hostPort: host_port })),
    egress,
    ...(limits === undefined ? {} : { limits: parseLimits(limits) }),
  }
}
