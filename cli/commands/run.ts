import type { Command } from 'commander'
import { messageOf } from '../../base/errors.js'
import type { RunDraft, RunEnding, RunEvent } from '../../daemon/documents/run.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { collectEnvironment, type Environment } from '../options/parse-environment.js'
import { collectPublished, type PublishedPort } from '../options/parse-publish.js'
import { addLimitOptions, limitsOf, type LimitOptions } from '../options/limit-options.js'
import { readRunEvents } from '../follow/read-run-events.js'
import type { Session } from '../session/session.js'

interface RunOptions extends LimitOptions {
  readonly publish?: readonly PublishedPort[]
  readonly env?: Environment
  readonly command?: string
  readonly allowEgress?: boolean
}

/** Why the daemon ends a program that would have gone on. */
const ENDINGS: Readonly<Record<string, { readonly words: string; readonly exit: number }>> = {
  timeout: { words: 'it ran longer than it may; allow more with --timeout', exit: EXIT.timeout },
  'out-of-memory': { words: 'it needed more memory than it may have; allow more with --memory', exit: EXIT.limit },
  'disk-full': { words: 'it wrote more than it may; allow more with --disk', exit: EXIT.limit },
  'pids-limit': { words: 'it wanted more processes than it may have; allow more with --pids', exit: EXIT.limit },
  stopped: { words: 'stagerd is stopping', exit: EXIT.cancelled },
} satisfies Record<RunEnding, { words: string; exit: number }>

export function addRunCommand(program: Command, commandLine: CommandLine): void {
  const command = program
    .command('run <name>')
    .description(
      'Run a ready package in the foreground, on its own dependencies. Ends with the exit code of its program; Ctrl-C stops it, and waits for its last words.',
    )
    .option(
      '-p, --publish <host:container>',
      'make a port of the package a port of this host; CONTAINER alone takes any free one (repeatable)',
      collectPublished,
    )
    .option('-e, --env <key=value>', 'a variable, over those of the package (repeatable)', collectEnvironment)
    .option('--command <cmd>', 'instead of the START_COMMAND of the package')
    .option('--allow-egress', 'let it reach beyond this host')
    .addHelpText('after', examples('run my-app --publish 8080:3000', "run my-app --command 'node --version'"))
  addLimitOptions(command).action(commandLine.run(run))
}

async function run(session: Session, options: RunOptions, name: string): Promise<number> {
  const limits = limitsOf(options)
  const draft: RunDraft = {
    package: session.ref(name, 'package'),
    ...(options.command === undefined ? {} : { command: options.command }),
    ...(options.env === undefined ? {} : { environment: { ...options.env } }),
    ...(options.publish === undefined ? {} : { publish: [...options.publish] }),
    ...(options.allowEgress === undefined ? {} : { allow_egress: options.allowEgress }),
    ...(limits ? { limits } : {}),
  }
  const answer = await session.api.stream('/v1/runs', { signal: session.signal }, draft)
  let ports: readonly number[] = []
  let stopping: Promise<void> | undefined
  let stopListening = (): void => undefined
  try {
    for await (const event of readRunEvents(answer, session)) {
      switch (event.event) {
        case 'started':
          ports = event.ports
          stopListening = session.interrupts.softly(() => {
            stopping = askToStop(session, event.run, name)
          })
          await tellPorts(session, draft, ports)
          break
        case 'output':
          // With --json the document alone is for stdout.
          await session.output.bytes(Buffer.from(event.data, 'base64'), session.output.json ? 'stderr' : event.stream)
          break
        case 'ended':
          return await end(session, event, ports, name, stopping !== undefined)
      }
    }
    return EXIT.stagerdFailed
  } finally {
    stopListening()
    await stopping
  }
}

async function askToStop({ api, output, signal }: Session, run: string, name: string): Promise<void> {
  await output.warning(`Stopping ${name}… (Ctrl-C again leaves at once)`)
  try {
    await api.post(`/v1/runs/${run}/stop`, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) await output.warning(`It could not be stopped: ${messageOf(error)}`)
  }
}

async function tellPorts({ output }: Session, { publish = [] }: RunDraft, ports: readonly number[]): Promise<void> {
  for (const [index, port] of ports.entries())
    await output.note(`Port ${publish[index]?.container_port ?? '?'} is at http://127.0.0.1:${port}`)
}

async function end(
  { output }: Session,
  event: Extract<RunEvent, { event: 'ended' }>,
  ports: readonly number[],
  name: string,
  stoppedByUs: boolean,
): Promise<number> {
  if (output.json) await output.document({ ports, exit_code: event.exit_code, reason: event.reason })
  if (event.exit_code === 0) return EXIT.success
  if (event.exit_code !== undefined) {
    await output.warning(`${name} ended with exit code ${event.exit_code}.`)
    return event.exit_code
  }
  if (stoppedByUs && event.reason === 'stopped') return EXIT.cancelled
  const ending = ENDINGS[event.reason]
  await output.warning(`${name} was ended: ${ending?.words ?? event.reason}.`)
  return ending?.exit ?? EXIT.stagerdFailed
}
