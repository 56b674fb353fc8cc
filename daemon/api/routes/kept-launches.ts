import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import { Conflict, NotFound } from '../../../base/errors.js'
import { whenAborted } from '../../../base/when-aborted.js'
import { ShellDraft, ShellEvent, TerminalSize } from '../../documents/kept.js'
import type { KeptLaunches, OpenShell } from '../../staging/kept-launches.js'
import { writesByUuid } from '../access.js'
import { EventLines } from '../event-lines.js'
import type { Api } from '../fastify.js'
import { streamSignal } from '../stream-signal.js'
import { NoQuery, Nothing, REFUSALS, streamed, UuidPath } from './schemas.js'

export interface KeptLaunchRoutesParts {
  readonly kept: Pick<KeptLaunches, 'openShell' | 'release'>
}

const ShellPath = Type.Object(
  { uuid: Type.String({ minLength: 1 }), shell: Type.String({ minLength: 1 }) },
  { additionalProperties: false },
)

/** Shells in the containers of failed launches: the answer lasts as long as the shell, and the shell as long as the client. */
export function keptLaunchRoutes(api: Api, { kept }: KeptLaunchRoutesParts, closing: AbortSignal): void {
  const tags = ['stagings']
  const open = new Map<string, { readonly shell: OpenShell; readonly staging: string; readonly hasInput: boolean }>()
  // The handler reads the body itself.
  api.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null))

  const shellOf = ({ uuid, shell: id }: { readonly uuid: string; readonly shell: string }) => {
    const found = open.get(id)
    if (found?.staging !== uuid)
      throw new NotFound('shell-not-found', `There is no shell ${id}: it has ended, or it never existed.`)
    return found
  }

  api.post(
    '/v1/stagings/:uuid/shells',
    {
      access: writesByUuid('staging'),
      home: 'kept',
      schema: {
        operationId: 'openShell',
        tags,
        description: 'Starts a shell, or a command, in the kept container of a failed launch.',
        params: UuidPath,
        querystring: NoQuery,
        body: ShellDraft,
        response: { 200: streamed('one ShellEvent per line', 'application/x-ndjson', ShellEvent), ...REFUSALS },
      },
    },
    async ({ params: { uuid }, body: { command, terminal } }, reply) => {
      const signal = streamSignal(reply, closing)
      const id = randomUUID()
      const lines = new EventLines<ShellEvent>(signal)
      await lines.write({ event: 'started', shell: id })
      const shell = await kept.openShell(
        uuid,
        { command, terminal },
        { output: (stream, chunk) => lines.write({ event: 'output', stream, data: chunk.toString('base64') }) },
      )
      open.set(id, { shell, staging: uuid, hasInput: true })
      whenAborted(signal, () => shell.hangUp())
      void shell.ended.then(async (ending) => {
        open.delete(id)
        await lines.write(
          ending.kind === 'exited'
            ? { event: 'ended', exit_code: ending.exitCode }
            : { event: 'ended', message: ending.message },
        )
        lines.end()
      })
      return reply.header('content-type', 'application/x-ndjson').header('cache-control', 'no-store').send(lines.body)
    },
  )

  api.post(
    '/v1/stagings/:uuid/shells/:shell/input',
    {
      access: writesByUuid('staging'),
      home: 'kept',
      schema: {
        operationId: 'sendShellInput',
        tags,
        description: 'Passes the body to the shell. Without a terminal, its end is the end of the input.',
        params: ShellPath,
        querystring: NoQuery,
        body: { content: { 'application/octet-stream': { schema: Type.Unknown() } } },
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params, raw }, reply) => {
      const found = shellOf(params)
      if (!found.hasInput) throw new Conflict('no-input', `The shell ${params.shell} has its input already.`)
      open.set(params.shell, { ...found, hasInput: false })
      // A shell can end before it has read everything.
      await Promise.race([found.shell.input(raw), found.shell.ended])
      return await reply.code(204).send(null)
    },
  )

  api.put(
    '/v1/stagings/:uuid/shells/:shell/size',
    {
      access: writesByUuid('staging'),
      home: 'kept',
      schema: {
        operationId: 'resizeShell',
        tags,
        description: 'Sets the size of its terminal.',
        params: ShellPath,
        querystring: NoQuery,
        body: TerminalSize,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params, body }, reply) => {
      await shellOf(params).shell.resize(body)
      return await reply.code(204).send(null)
    },
  )

  api.post(
    '/v1/stagings/:uuid/release',
    {
      access: writesByUuid('staging'),
      home: 'kept',
      schema: {
        operationId: 'releaseStaging',
        tags,
        description: 'Removes the kept container of a failed launch, and ends the shells in it.',
        params: UuidPath,
        querystring: NoQuery,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params }, reply) => {
      await kept.release(params.uuid)
      return await reply.code(204).send(null)
    },
  )
}
