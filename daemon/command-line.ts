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
    // With commands, it would show its help otherwise.
    .action(() => undefined)
  for (const { key, placeholder, default: value, help } of listDefinitions())
    command.option(`--${key} <${placeholder}>`, `${help}${value === '' ? '' : ` (default: ${value})`}`)
  command
    .command('migrate')
    .description(
      'Move all of a node that does not run to the database and the store that other settings name. Both are verified, and nothing is changed at the old one. If it is interrupted, the same command goes on.',
    )
    .requiredOption('--to-config <FILE>', 'settings of the new node in TOML, with a state-dir of its own')
    .action(() => undefined)
    .addHelpText(
      'after',
      `
The settings of the old node are found as always: by --config, variables and flags. Those of the new one are in FILE alone.

Examples:
  stagerd migrate --to-config /etc/stagerd/fleet.toml
  stagerd migrate --config /etc/stagerd/fleet.toml --to-config /etc/stagerd/single.toml`,
    )
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

/** The file of the settings to migrate to, if the command line that was parsed asks for a migration. */
export function migrationOf(command: Command): string | undefined {
  const migrate = command.commands.find((one) => one.name() === 'migrate')
  return migrate?.opts<{ readonly toConfig?: string }>().toConfig
}
