import { CommanderError } from 'commander'
import { pino } from 'pino'
import { BadInput, StagerdError, messageOf } from '../base/errors.js'
import { installedVersion } from '../base/installation.js'
import { buildDockerIsolation } from './build-isolation.js'
import { DEFAULT_FILE, describeCommand, migrationOf } from './command-line.js'
import { Daemon } from './lifecycle.js'
import { isJournal, journalLogger, journalSocket, type SendEntry } from './log/journal.js'
import type { NodeMigration } from './migrate-node.js'
import { ServiceManager } from './service-manager.js'
import { Service } from './service.js'
import { loadSettings } from './settings/load-settings.js'
import type { Settings } from './settings/settings.js'
import { showSettings } from './settings/show-settings.js'
import { loadNativeLibrary } from './store/sqlite/native-library.js'

export { warmUp } from './warm-up.js'

/** Of a migration that has moved everything but what the node had lost before. */
const MOVED_WITH_LOSSES = 3

/** Only the process: flags, signals, readiness and exit codes (0 stopped, 1 failed, 2 usage, 3 `MOVED_WITH_LOSSES`). */
async function run(argv: readonly string[], journal: SendEntry | undefined): Promise<number> {
  const version = installedVersion()
  const command = describeCommand(version)
  try {
    command.parse(argv)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
  const { config, check, ...flags } = command.opts<{ config?: string; check?: true } & Record<string, string>>()
  const load = () =>
    loadSettings({
      flags,
      environment: process.env,
      file: config ?? DEFAULT_FILE,
      fileIsRequired: config !== undefined,
      workingDirectory: process.cwd(),
    })
  const settings = await load()
  const file = migrationOf(command)
  const to = file === undefined ? undefined : await loadOther(file)
  if (check) return 0
  if (file !== undefined && to) return await move({ from: settings, to, file })
  const level = settings.logLevel
  const logger = isJournal(1, process.env) ? journalLogger({ level }, process.stdout, journal) : pino({ level })
  logger.info({ version, settings: showSettings(settings) }, 'starting')

  // Not `once`: execa kills the process with the same signal if its own handler finds no other listener.
  const atOnce = new AbortController()
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    let signals = 0
    const stop = (signal: NodeJS.Signals) => {
      resolve(signal)
      if (++signals > 1) atOnce.abort()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
    // As the older staging service of Cloud Foundry.
    process.on('SIGUSR2', stop)
  })
  // Before the start: the default action of this signal ends the process.
  let service: Service | undefined
  process.on('SIGHUP', () => void service?.reload())
  const daemon = await Daemon.open(settings, {
    version,
    logger,
    environment: process.env,
    buildIsolation: buildDockerIsolation,
  })
  const manager = new ServiceManager(process.env)
  try {
    await daemon.start()
    service = new Service({ daemon, manager, logger, load }, settings)
    await service.ready()
    logger.info({ signal: await stopped }, 'stopping')
    await service.drain(atOnce.signal)
  } finally {
    await daemon.stop()
    manager.close()
  }
  return 0
}

/** Settings of another node: flags and variables are about this one. */
async function loadOther(file: string): Promise<Settings> {
  const none = { flags: {}, environment: {} }
  return await loadSettings({ ...none, file, fileIsRequired: true, workingDirectory: process.cwd() })
}

/** The first signal ends it in order, the second at once. */
async function move(nodes: Pick<NodeMigration, 'from' | 'to' | 'file'>): Promise<number> {
  loadNativeLibrary()
  // A daemon does not need it.
  const { interrupted, migrateNode } = await import('./migrate-node.js')
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(interrupted()))
  const lost = await migrateNode({ ...nodes, output: process.stdout, signal: stop.signal })
  return lost > 0 ? MOVED_WITH_LOSSES : 0
}

/** There may be no logger yet: one sentence. */
function report(error: unknown, journal: SendEntry | undefined): void {
  if (isJournal(2, process.env)) journalLogger({}, process.stderr, journal).error({ err: error }, messageOf(error))
  else
    process.stderr.write(`stagerd: ${error instanceof StagerdError ? error.message : String((error as Error).stack)}\n`)
}

/**
 * Exits explicitly: a request that a hanging Engine never answers would keep the process alive, beside the daemon that is
 * started next.
 */
export async function main(): Promise<void> {
  const journal = journalSocket(process.env)
  // Only for this process.
  delete process.env.STAGERD_JOURNAL_FD
  try {
    process.exit(await run(process.argv, journal))
  } catch (error) {
    report(error, journal)
    process.exit(error instanceof BadInput ? 2 : 1)
  }
}
