import { Command } from 'commander'
import { listDefinitions } from './settings/settings.js'

export const DEFAULT_FILE = '/etc/stagerd/stagerd.toml'

/** The command line, of which the manual is made too. Parsing it throws `CommanderError`, also for help and version. */
export function describeCommand(version: string): Command {
  const command = new Command('stagerd')
    .description('The staging daemon: runs source packages through pipelines of stagers.')
    .version(version)
    .option('--config <FILE>', `settings in TOML (default: ${DEFAULT_FILE})`)
    .option(
      '--check',
      'only check the settings: exits with 0 if the daemon would start with them, and with 2 otherwise',
    )
    .exitOverride()
  for (const { key, placeholder, default: value, help } of listDefinitions())
    command.option(`--${key} <${placeholder}>`, `${help}${value === '' ? '' : ` (default: ${value})`}`)
  return command.addHelpText(
    'after',
    `
Each setting is also an environment variable (STAGERD_STATE_DIR for --state-dir) and a key of the file (state-dir). A flag
overrides a variable, a variable overrides the file.

Examples:
  stagerd
  stagerd --state-dir /srv/stagerd --socket /run/user/0/stagerd.sock
  STAGERD_LOG_LEVEL=debug stagerd --concurrency 4`,
  )
}
