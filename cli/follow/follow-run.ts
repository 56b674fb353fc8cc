import { messageOf } from '../../base/errors.js'
import type { RunDraft, RunEnding, RunEvent } from '../../daemon/documents/run.js'
import type { Output } from '../display/output.js'
import type { Query } from '../api/control-api.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'
import { readRunEvents } from './read-run-events.js'
import { sendInput } from './send-input.js'

/** Messages and exit codes for the reasons why the daemon stops a program. */
const ENDINGS: Readonly<Record<string, { readonly message: string; readonly exit: number }>> = {
  timeout: { message: 'it reached its time limit; raise it with --timeout', exit: EXIT.timeout },
  'out-of-memory': { message: 'it reached its memory limit; raise it with --memory', exit: EXIT.limit },
  'disk-full': { message: 'it reached its disk limit; raise it with --disk', exit: EXIT.limit },
  'pids-limit': { message: 'it reached its limit of processes; raise it with --pids', exit: EXIT.limit },
  stopped: { message: 'stagerd is stopping', exit: EXIT.cancelled },
} satisfies Record<RunEnding, { message: string; exit: number }>

export interface FollowedRun {
  /** Where the draft is posted. */
  readonly path: '/v1/runs' | '/v1/droplet-runs'
  readonly draft: Pick<RunDraft, 'publish' | 'input'>
  /** For messages. */
  readonly name: string
}

/**
 * Runs a program in the foreground, and passes its output on. Ctrl-C stops it. Returns its exit code, or that for the reason
 * why it was stopped.
 */
export async function followRun(session: Session, { path, draft, name }: FollowedRun): Promise<number> {
  // A program that still writes is stopped then, as SIGPIPE would end it on this host. The exit code remains its own.
  session.output.tolerateLoss()
  const response = await session.api.stream(path, { signal: session.signal }, draft)
  let ports: readonly number[] = []
  let run = ''
  let query: Query = {}
  let stopping: Promise<void> | undefined
  let unsubscribe = (): void => undefined
  let endInput = (): Promise<void> => Promise.resolve()
  try {
    for await (const event of readRunEvents(response, session)) {
      switch (event.event) {
        case 'started':
          run = event.run
          query = { node: event.node }
          ports = event.ports
          unsubscribe = session.interrupts.onFirstInterrupt(() => {
            stopping = requestStop(session, run, query, `Stopping ${name}... (press Ctrl-C again to leave at once)`)
          })
          await printPorts(session, draft, ports)
          if (draft.input === true) endInput = sendInput(session, `/v1/runs/${run}/input`, query)
          break
        case 'output':
          // With --json, stdout carries only the document.
          await session.output.bytes(Buffer.from(event.data, 'base64'), session.output.json ? 'stderr' : event.stream)
          if (session.output.takeLoss())
            stopping ??= requestStop(session, run, query, `Stopping ${name}: standard output cannot be written.`)
          break
        case 'ended':
          return await reportEnd(session, event, ports, name, stopping !== undefined)
      }
    }
    return EXIT.stagerdFailed
  } finally {
    unsubscribe()
    await endInput()
    await stopping
  }
}

async function requestStop(
  { api, output, signal }: Session,
  run: string,
  query: Query,
  message: string,
): Promise<void> {
  await output.warning(message)
  try {
    await api.post(`/v1/runs/${run}/stop`, undefined, { query, signal })
  } catch (error) {
    if (!signal.aborted) await output.warning(`The run could not be stopped: ${messageOf(error)}`)
  }
}

async function printPorts(
  { output }: Session,
  { publish = [] }: Pick<RunDraft, 'publish'>,
  ports: readonly number[],
): Promise<void> {
  for (const [index, port] of ports.entries())
    await output.note(`Port ${publish[index]?.container_port ?? '?'} is published at http://127.0.0.1:${port}`)
}

async function reportEnd(
  { output }: Session,
  event: Extract<RunEvent, { event: 'ended' }>,
  ports: readonly number[],
  name: string,
  stopRequested: boolean,
): Promise<number> {
  const { exit_code, reason, hint } = event
  if (output.json) await output.document({ ports, exit_code, reason, ...(hint === undefined ? {} : { hint }) })
  const code = await describeEnd(output, event, name, stopRequested)
  if (hint !== undefined) await output.note(`What to do: ${hint}`)
  return code
}

async function describeEnd(
  output: Output,
  event: Extract<RunEvent, { event: 'ended' }>,
  name: string,
  stopRequested: boolean,
): Promise<number> {
  if (event.exit_code === 0) return EXIT.success
  if (event.exit_code !== undefined) {
    const [, why] = /^not-runnable: (.*)/s.exec(event.reason) ?? []
    await output.warning(
      why === undefined ? `${name} ended with exit code ${event.exit_code}.` : `${name} cannot run: ${why}.`,
    )
    return event.exit_code
  }
  if (stopRequested && event.reason === 'stopped') return EXIT.cancelled
  const ending = ENDINGS[event.reason]
  await output.warning(`${name} was stopped: ${ending?.message ?? event.reason}.`)
  return ending?.exit ?? EXIT.stagerdFailed
}
