import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Staging } from '../../daemon/documents/staging.js'
import type { Query } from '../api/control-api.js'
import { SHORTEN_ID, SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { ago } from '../display/time.js'
import { parseChoice } from '../options/parse-choice.js'
import { parseDuration } from '../options/parse-duration.js'
import { integerParser } from '../options/parse-number.js'
import { parseSince } from '../options/parse-since.js'
import { UsageError } from '../options/usage-error.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { refInUse } from '../session/look-up.js'
import type { Session } from '../session/session.js'

const STATES = {
  queued: true,
  running: true,
  succeeded: true,
  failed: true,
  cancelled: true,
} as const satisfies Record<Staging['state'], true>

interface ListOptions {
  readonly state?: string
  readonly package?: string
  readonly pipeline?: string
  readonly since?: Date
  readonly limit?: number
  readonly watch?: boolean
  readonly interval: number
}

const CLEAR_TERMINAL = '\x1b[H\x1b[2J'

export function addStagingListCommand(group: Command, commandLine: CommandLine): void {
  const states = Object.keys(STATES)
  group
    .command('list')
    .description('List stagings, newest first.')
    .option('--state <state>', `only those in this state: ${states.join(', ')}`, (text) =>
      parseChoice(text, 'a state of a staging', states),
    )
    .option('--package <name>', 'only those of this package')
    .option('--pipeline <name>', 'only those through this pipeline')
    .option('--since <time>', 'only those submitted since then: a duration such as 2h, or a time', parseSince)
    .option('--limit <n>', 'at most this many (default: 100)', parseLimit)
    .option('--watch', 'show the list again when it changes, until Ctrl-C; in a pipe, print a line for each change')
    .option('--interval <duration>', 'how often --watch looks', parseDuration, 2_000)
    .addHelpText(
      'after',
      examples(
        'staging list',
        'staging list --state failed --since 2h',
        'staging list --package my-app --limit 5 --json',
        'staging list --state running --watch',
        'staging list --watch --since 1h | grep failed',
      ),
    )
    .action(commandLine.run(list))
}

const MAX_LIMIT = 1000

function parseLimit(text: string): number {
  const limit = integerParser(1, '20')(text)
  if (limit > MAX_LIMIT) throw new UsageError(`A list has at most ${MAX_LIMIT} stagings: use --since for older ones.`)
  return limit
}

async function list(session: Session, options: ListOptions): Promise<number> {
  const { output } = session
  if (options.watch === true && output.json)
    throw new UsageError('--watch and --json exclude each other: --json prints one document.')
  const query = await queryOf(session, options)
  if (options.watch === true) return await watch(session, query, options.interval)
  const stagings = await fetch(session, query)
  await output.result(stagings, () => describe(session, stagings))
  return EXIT.success
}

async function queryOf(session: Session, options: ListOptions): Promise<Query> {
  const ref = async (name: string | undefined, kind: 'package' | 'stagpipe') =>
    name === undefined ? undefined : await refInUse(session, name, kind)
  return {
    state: options.state,
    package: await ref(options.package, 'package'),
    pipeline: await ref(options.pipeline, 'stagpipe'),
    since: options.since?.toISOString(),
    limit: options.limit,
  }
}

/** Ctrl-C is how it ends, not a failure. */
async function watch(session: Session, query: Query, interval: number): Promise<number> {
  const { output, signal } = session
  const show = output.io.stdout.isTTY ? inPlace(session) : changes(session)
  try {
    for (;;) {
      await show(await fetch(session, query))
      await delay(interval, undefined, { signal })
    }
  } catch (error) {
    if (signal.aborted) return EXIT.success
    throw error
  }
}

type Show = (stagings: readonly Staging[]) => Promise<void>

/** Each list replaces the one before. */
function inPlace(session: Session): Show {
  const { output } = session
  let shown: string | undefined
  return async (stagings) => {
    const text = describe(session, stagings)
    if (text === shown) return
    shown = text
    // As bytes: text has its control characters escaped.
    await output.bytes(Buffer.from(CLEAR_TERMINAL), 'stdout')
    await output.text(text)
  }
}

/** A line for each staging that is new or in another state, the oldest first. */
function changes({ output }: Session): Show {
  let before: ReadonlyMap<string, string> = new Map()
  return async (stagings) => {
    const now = new Map(stagings.map((one) => [one.uuid, stateOf(one)]))
    for (const one of [...stagings].reverse())
      if (before.get(one.uuid) !== now.get(one.uuid))
        await output.text([changedAt(one), one.uuid, stateOf(one), one.package, one.pipeline].join('  '))
    before = now
  }
}

function changedAt({ ended_at, started_at, submitted_at }: Staging): string {
  return ended_at ?? started_at ?? submitted_at
}

function stateOf({ state, failure }: Staging): string {
  return failure ? `${state} (${failure.cause})` : state
}

function fetch({ api, signal }: Session, query: Query): Promise<Staging[]> {
  return api.get<Staging[]>('/v1/stagings', { query, signal })
}

function describe({ output }: Session, stagings: readonly Staging[]): string {
  return table(
    output,
    [
      { head: 'ID', shorten: SHORTEN_ID },
      { head: 'STATE' },
      { head: 'PACKAGE', shorten: SHORTEN_NAME },
      { head: 'PIPELINE', shorten: SHORTEN_NAME },
      { head: 'SUBMITTED' },
    ],
    stagings.map((one) => [one.uuid, stateOf(one), one.package, one.pipeline, ago(one.submitted_at)]),
    'No stagings.',
  )
}
