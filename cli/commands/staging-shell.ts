import type { Command } from 'commander'
import type { ShellDraft, ShellEvent, TerminalSize } from '../../daemon/documents/kept.js'
import { stagingPath } from '../api/paths.js'
import { readEventLines } from '../follow/read-event-lines.js'
import { sendInput } from '../follow/send-input.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'
import { enterRawMode } from '../terminal/raw-mode.js'
import { findStagingId } from './staging-id.js'

export function addStagingShellCommands(group: Command, commandLine: CommandLine): void {
  group
    .command('shell <id> [command...]')
    .description(
      'Open a shell in the container of a failed stager that was kept with --keep-failed, as the user of the stager, in its ' +
        'directory and with its environment. With a command after --, run that instead. The exit code is that of the shell or ' +
        'command. The container goes on only while a shell is open in it; its limits stay. What the shell changes stays in the ' +
        'container: the package is as it was.',
    )
    .addHelpText(
      'after',
      examples(
        'staging shell 5f0c6d0e',
        'staging shell 5f0c6d0e -- ls -l /app',
        "echo 'npm ls' | stagectl staging shell 5f0c6d0e",
      ),
    )
    .action(commandLine.run(shell))
  group
    .command('release <id>')
    .description('Remove the container of a failed stager that was kept with --keep-failed, and end the shells in it.')
    .addHelpText('after', examples('staging release 5f0c6d0e'))
    .action(
      commandLine.run(async (session, _options, id: string) => {
        const { api, output, signal } = session
        const staging = await findStagingId(session, id)
        await api.post(`${stagingPath(staging)}/release`, undefined, { signal })
        await output.result({ staging, released: true }, () => `Released the kept container of staging ${staging}.`)
        return EXIT.success
      }),
    )
}

async function shell(session: Session, _options: unknown, id: string, command: readonly string[]): Promise<number> {
  const { api, io, output, signal } = session
  const staging = await findStagingId(session, id)
  const hasTerminal = io.stdin.isTTY === true && io.stdout.isTTY && !output.json
  const draft: ShellDraft = {
    ...(command.length > 0 ? { command: [...command] } : {}),
    ...(hasTerminal ? { terminal: { type: typeOf(io.env['TERM']), ...sizeOf(session) } } : {}),
  }
  // What it still prints is lost then; the exit code is that of the shell.
  output.tolerateLoss()
  const path = `${stagingPath(staging)}/shells`
  const response = await api.stream(path, { signal }, draft)
  const events = readEventLines<ShellEvent>(
    response,
    session,
    'The connection to stagerd was lost, which ends the shell: check the daemon with `stagectl node status`.',
  )
  let restore = (): void => undefined
  let unsubscribe = (): void => undefined
  let endInput = (): Promise<void> => Promise.resolve()
  try {
    for await (const event of events) {
      switch (event.event) {
        case 'started': {
          const ofShell = `${path}/${event.shell}`
          if (hasTerminal) {
            restore = enterRawMode(io)
            unsubscribe = sendSizes(session, `${ofShell}/size`, draft.terminal)
          }
          endInput = sendInput(session, `${ofShell}/input`)
          break
        }
        case 'output':
          // With --json, stdout carries only the document.
          await output.bytes(Buffer.from(event.data, 'base64'), output.json ? 'stderr' : event.stream)
          break
        case 'ended': {
          const { exit_code, message } = event
          restore()
          if (message !== undefined) await output.warning(hasTerminal ? `\n${message}` : message)
          if (output.json)
            await output.document({
              ...(exit_code === undefined ? {} : { exit_code }),
              ...(message === undefined ? {} : { message }),
            })
          return exit_code ?? EXIT.cancelled
        }
      }
    }
    return EXIT.stagerdFailed
  } finally {
    restore()
    unsubscribe()
    await endInput()
  }
}

/**
 * Sends the size of the terminal when it is another one than what is `known`, until the returned function is called: one at
 * a time, and then the latest, because requests that are sent together may arrive in another order.
 */
function sendSizes(session: Session, path: string, known: TerminalSize | undefined): () => void {
  const { api, io, signal } = session
  let sent = known
  let isSending = false
  const isSent = ({ columns, rows }: TerminalSize) => sent?.columns === columns && sent.rows === rows
  const send = async () => {
    if (isSending) return
    isSending = true
    for (let size = sizeOf(session); !isSent(size); size = sizeOf(session)) {
      sent = size
      // A size that is lost is not worth an end.
      await api.put(path, size, { signal }).catch(() => undefined)
    }
    isSending = false
  }
  void send()
  return io.onResize(() => void send())
}

/** What the API takes for a name; anything else is a terminal that nothing is known of. */
function typeOf(term: string | undefined): string {
  return term !== undefined && /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/.test(term) ? term : 'dumb'
}

/** A terminal without a size, such as that of some test tools, gets a usual one. */
function sizeOf({ io }: Session): TerminalSize {
  return { columns: io.stdout.columns || 80, rows: io.stdout.rows || 24 }
}
