import type { Command } from 'commander'
import { messageOf } from '../../base/errors.js'
import type { RunDraft, RunEnding, RunEvent } from '../../daemon/documents/run.js'
import { examples, type CommandLine } from '../session/command-line.js'
import type { Output } from '../display/output.js'
import { EXIT } from '../session/exit-codes.js'
import { collectEnvironment, type Environment } from '../options/parse-environment.js'
import { collectPublished, type PublishedPort } from '../options/parse-publish.js'
import { addLimitOptions, limitsOf, type LimitOptions } from '../options/limit-options.js'
import { readRunEvents } from '../follow/read-run-events.js'
import { sendInput } from '../follow/send-input.js'
import { refInUse } from '../session/look-up.js'
import type { Session } from '../session/session.js'

interface RunOptions extends LimitOptions {
  readonly publish?: readonly PublishedPort[]
  readonly env?: Environment
  readonly command?: string
  readonly interactive?: boolean
  readonly user?: string
  readonly allowEgress?: boolean
}

/** Messages and exit codes for the reasons why the daemon stops a program. */
const ENDINGS: Readonly<Record<string, { readonly message: string; readonly exit: number }>> = {
  timeout: { message: 'it reached its time limit; raise it with --timeout', exit: EXIT.timeout },
  'out-of-memory': { message: 'it reached its memory limit; raise it with --memory', exit: EXIT.limit },
  'disk-full': { message: 'it reached its disk limit; raise it with --disk', exit: EXIT.limit },
  'pids-limit': { message: 'it reached its limit of processes; raise it with --pids', exit: EXIT.limit },
  stopped: { message: 'stagerd is stopping', exit: EXIT.cancelled },
} satisfies Record<RunEnding, { message: string; exit: number }>

export function addRunCommand(program: Command, commandLine: CommandLine): void {
  const command = program
    .command('run <name>')
    .description(
      'Run a ready package in the foreground, with its dependencies. The exit code is that of its program. Ctrl-C stops the program and waits until it has ended.',
    )
    .option(
      '-p, --publish <host:container>',
      'publish a port of the package on this host; without a host port, a free one is chosen; the program finds a single port in PORT (repeatable)',
      collectPublished,
    )
    .option(
      '-e, --env <key=value>',
      'environment variable, which overrides one of the package (repeatable)',
      collectEnvironment,
    )
    .option('--command <cmd>', 'command to run instead of the START_COMMAND of the package')
    .option('-i, --interactive', 'pass standard input to the program; without it, its input is empty')
    .option('--user <user>', 'user in the container to run as (default: runner)')
    .option('--allow-egress', 'allow network access beyond this host')
    .addHelpText(
      'after',
      examples('run my-app --publish 8080:3000', 'run my-app -i < input.json', "run my-app --command 'node --version'"),
    )
  addLimitOptions(command).action(commandLine.run(run))
}

async function run(session: Session, options: RunOptions, name: string): Promise<number> {
  const limits = limitsOf(options)
  const draft: RunDraft = {
    package: await refInUse(session, name, 'package'),
    ...(options.command === undefined ? {} : { command: options.command }),
    ...(options.env === undefined ? {} : { environment: { ...options.env } }),
    ...(options.interactive === undefined ? {} : { input: options.interactive }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.publish === undefined ? {} : { publish: [...options.publish] }),
    ...(options.allowEgress === undefined ? {} : { allow_egress: options.allowEgress }),
    ...(limits ? { limits } : {}),
  }
  // A program that still writes is stopped then, as SIGPIPE would end it on this host. The exit code remains its own.
  session.output.tolerateLoss()
  const response = await session.api.stream('/v1/runs', { signal: session.signal }, draft)
  let ports: readonly number[] = []
  let run = ''
  let stopping: Promise<void> | undefined
  let unsubscribe = (): void => undefined
  let endInput = (): Promise<void> => Promise.resolve()
  try {
    for await (const event of readRunEvents(response, session)) {
      switch (event.event) {
        case 'started':
          run = event.run
          ports = event.ports
          unsubscribe = session.interrupts.onFirstInterrupt(() => {
            stopping = requestStop(session, run, `Stopping ${name}... (press Ctrl-C again to leave at once)`)
          })
          await printPorts(session, draft, ports)
          if (options.interactive === true) endInput = sendInput(session, `/v1/runs/${run}/input`)
          break
        case 'output':
          // With --json, stdout carries only the document.
          await session.output.bytes(Buffer.from(event.data, 'base64'), session.output.json ? 'stderr' : event.stream)
          if (session.output.takeLoss())
            stopping ??= requestStop(session, run, `Stopping ${name}: standard output cannot be written.`)
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

async function requestStop({ api, output, signal }: Session, run: string, message: string): Promise<void> {
  await output.warning(message)
  try {
    await api.post(`/v1/runs/${run}/stop`, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) await output.warning(`The run could not be stopped: ${messageOf(error)}`)
  }
}

async function printPorts({ output }: Session, { publish = [] }: RunDraft, ports: readonly number[]): Promise<void> {
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
