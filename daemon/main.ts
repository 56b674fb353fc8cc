import { CommanderError } from 'commander'
import { pino } from 'pino'
import { BadInput, StagerdError } from '../base/errors.js'
import { installedVersion } from '../base/installation.js'
import { DEFAULT_FILE, describeCommand } from './command-line.js'
import { Daemon } from './lifecycle.js'
import { journalStream } from './log/journal-stream.js'
import { ServiceManager } from './service-manager.js'
import { Service } from './service.js'
import { loadSettings } from './settings/load-settings.js'

/** Only the process: flags, signals, readiness and exit codes (0 stopped, 1 failed, 2 usage). */
async function main(argv: readonly string[]): Promise<number> {
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
  if (check) return 0
  const options = { level: settings.logLevel }
  // systemd sets it if the output goes to the journal.
  const logger = process.env.JOURNAL_STREAM ? pino(options, journalStream(process.stdout)) : pino(options)

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
  })
  // Before the start: the default action of this signal ends the process.
  let service: Service | undefined
  process.on('SIGHUP', () => void service?.reload())
  const daemon = await Daemon.open(settings, { version, logger, environment: process.env })
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

// Exit explicitly: a request that a hanging Engine never answers would keep the process alive, beside the daemon that is
// started next.
try {
  process.exit(await main(process.argv))
} catch (error) {
  // There may be no logger yet: print one sentence.
  const priority = process.env.JOURNAL_STREAM ? '<3>' : ''
  process.stderr.write(
    `${priority}stagerd: ${error instanceof StagerdError ? error.message : String((error as Error).stack)}\n`,
  )
  process.exit(error instanceof BadInput ? 2 : 1)
}
