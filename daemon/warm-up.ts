import { installedVersion } from '../base/installation.js'
import { describeCommand } from './command-line.js'
import { loadSettings } from './settings/load-settings.js'

/**
 * Runs what each start runs first, so that the code cache has it beside all that loading the modules runs. The build calls it, also
 * without the rights of root: it opens no state directory, asks no Engine and prints nothing.
 */
export async function warmUp(): Promise<void> {
  const command = describeCommand(installedVersion())
  command.parse(['node', 'stagerd'])
  await loadSettings({
    flags: command.opts(),
    environment: {},
    file: '/nonexistent',
    fileIsRequired: false,
    workingDirectory: '/',
  })
}
