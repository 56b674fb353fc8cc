import { execa, type Options, type Result } from 'execa'
import { Fault } from './errors.js'
import { tailOf } from './shorten.js'

export interface ProcessResult {
  readonly stdout: string
  readonly stderr: string
}

export interface ProcessOptions {
  readonly cwd?: string
  /** Standard input; empty by default. */
  readonly input?: string
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  /** The environment, besides PATH and a C locale, in which messages can be parsed. */
  readonly env?: Readonly<Record<string, string>>
}

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs a program of the host with an argument vector, without a shell.
 *
 * Throws `Fault` (`process-failed`) with the program, its exit code and the end of its standard error. An abort sends
 * SIGTERM, and two seconds later SIGKILL.
 */
export async function runProcess(
  file: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessResult> {
  const execaOptions = {
    reject: false,
    extendEnv: false,
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C.UTF-8', ...options.env },
    forceKillAfterDelay: 2_000,
    maxBuffer: 16 * 1024 * 1024,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  } satisfies Options
  const result: Result<typeof execaOptions> = await execa(file, [...args], execaOptions)
  if (result.failed) {
    options.signal?.throwIfAborted()
    throw new Fault(
      'process-failed',
      `${file} ${args[0] ?? ''} failed (${describeEnd(result)}): ${lastLines(result.stderr)}`,
      {
        cause: result,
      },
    )
  }
  return { stdout: result.stdout, stderr: result.stderr }
}

function describeEnd(result: {
  exitCode?: number | undefined
  signal?: string | undefined
  timedOut: boolean
  code?: string | undefined
}): string {
  if (result.timedOut) return 'timed out'
  if (result.signal !== undefined) return `killed by ${result.signal}`
  if (result.exitCode !== undefined) return `exit code ${result.exitCode}`
  return result.code ?? 'could not be started'
}

function lastLines(stderr: string): string {
  return tailOf(stderr.trim().split('\n').slice(-3).join('; '), 500) || 'no error output'
}
