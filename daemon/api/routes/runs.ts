import { assertCommand, assertEnvironment } from '../../packages/validate.js'
import { RunDraft, RunEvent } from '../documents/run.js'
import type { Routes } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import type { RunRequest } from '../parts.js'
import { parseLimits } from '../render-stager.js'
import { RunEventStream } from '../run-event-stream.js'
import { streamSignal } from '../stream-signal.js'
import { NoQuery, REFUSALS, streamed } from './schemas.js'

/** A ready package in the foreground: the answer goes on as long as it runs, and it runs as long as the client stays. */
export const runRoutes: Routes = (api, { parts: { runs }, closing }) => {
  api.post(
    '/v1/runs',
    {
      schema: {
        tags: ['runs'],
        querystring: NoQuery,
        body: RunDraft,
        response: { 200: streamed('one RunEvent a line', 'application/x-ndjson', RunEvent), ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      const request = requestOf(body)
      const signal = streamSignal(reply, closing)
      const events = new RunEventStream(signal)
      const program = await runs.start(request, events, signal)
      signal.addEventListener('abort', () => program.stop(), { once: true })
      if (signal.aborted) program.stop()
      void events.follow(program)
      return reply.header('content-type', 'application/x-ndjson').header('cache-control', 'no-store').send(events.body)
    },
  )
}

function requestOf(draft: RunDraft): RunRequest {
  const { command, environment = {}, publish = [], allow_egress: egress = false, limits } = draft
  if (command !== undefined) assertCommand(command)
  assertEnvironment(environment)
  return {
    package: parseRef(draft.package, 'package'),
    ...(command === undefined ? {} : { command }),
    environment,
    publish: publish.map(({ container_port, host_port }) => ({ containerPort: container_port, hostPort: host_port })),
    egress,
    ...(limits === undefined ? {} : { limits: parseLimits(limits) }),
  }
}
