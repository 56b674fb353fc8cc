import { Type } from 'typebox'
import { Conflict } from '../../../base/errors.js'
import { assertCommand, assertEnvironment, assertUser } from '../../packages/validate.js'
import type { RunRequest } from '../../runs/run.js'
import { RunDraft, RunEvent } from '../../documents/run.js'
import { writes, writesByUuid, writing } from '../access.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { parseLimits } from '../../documents/convert-limits.js'
import { followedRun, parsePublish, type FollowedRunParts } from '../followed-run.js'
import { streamSignal } from '../stream-signal.js'
import { NodeQuery, NoQuery, Nothing, REFUSALS, streamed, UuidPath } from './schemas.js'

export type RunRoutesParts = FollowedRunParts

/** Runs a ready package in the foreground: the answer lasts as long as the program, and the program as long as the client. */
export function runRoutes(api: Api, { runs, running, self }: RunRoutesParts, closing: AbortSignal): void {
  const tags = ['runs']
  // The handler reads the body itself.
  api.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null))

  api.post(
    '/v1/runs',
    {
      access: writes(({ body }: { body: RunDraft }) => [writing('package', body.package)]),
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
      const events = await followedRun({ runs, running, self }, request, signal)
      return reply.header('content-type', 'application/x-ndjson').header('cache-control', 'no-store').send(events)
    },
  )

  // The last output and the exit code go to the client that started the run.
  api.post(
    '/v1/runs/:uuid/stop',
    {
      access: writesByUuid('run'),
      home: 'asked',
      schema: {
        operationId: 'stopRun',
        tags,
        params: UuidPath,
        querystring: NodeQuery,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params: { uuid } }, reply) => {
      running.get(uuid).program.stop()
      return await reply.code(204).send(null)
    },
  )

  api.post(
    '/v1/runs/:uuid/input',
    {
      access: writesByUuid('run'),
      home: 'asked',
      schema: {
        operationId: 'sendRunInput',
        tags,
        description: 'Passes the body to a program that was started with `input`, then closes its standard input.',
        params: UuidPath,
        querystring: NodeQuery,
        body: { content: { 'application/octet-stream': { schema: Type.Unknown() } } },
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params: { uuid }, raw }, reply) => {
      const { program, input } = running.get(uuid)
      if (!input)
        throw new Conflict('no-input', `The run ${uuid} takes no input, or has it already: start it with "input".`)
      running.add(program, false)
      // A program can end before it has read everything.
      await Promise.race([program.input(raw), program.ended])
      return await reply.code(204).send(null)
    },
  )
}

function requestOf(draft: RunDraft): RunRequest {
  const { command, input = false, user, environment = {}, publish, allow_egress: egress = false, limits } = draft
  if (command !== undefined) assertCommand(command)
  if (user !== undefined) assertUser(user)
  assertEnvironment(environment)
  return {
    package: parseRef(draft.package, 'package'),
    ...(command === undefined ? {} : { command }),
    input,
    ...(user === undefined ? {} : { user }),
    environment,
    publish: parsePublish(publish),
    egress,
    ...(limits === undefined ? {} : { limits: parseLimits(limits) }),
  }
}
