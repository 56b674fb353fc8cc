import type { Command } from 'commander'
import { examples, type CommandLine } from '../session/command-line.js'
import { addDropletRunCommand } from './droplet-run.js'

export function addDropletCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('droplet')
    .description('Run droplets of Cloud Foundry; `stagectl package droplet` writes them.')
    .addHelpText(
      'after',
      examples('package droplet my-app -f my-app.tgz', 'droplet run my-app.tgz --publish 8080:8080'),
    )
  addDropletRunCommand(group, commandLine)
}
