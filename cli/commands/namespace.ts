import type { Command } from 'commander'
import { assertNamespace } from '../../base/fqn.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { readSettings, writeSettings } from '../session/settings.js'

export function addNamespaceCommand(program: Command, commandLine: CommandLine): void {
  program
    .command('namespace [namespace]')
    .description('Show the current namespace, or set the one that later commands use.')
    .addHelpText('after', examples('namespace', 'namespace /acme/web'))
    .action(
      commandLine.run(async ({ io, output, namespace: current }, _options, chosen: string | undefined) => {
        if (chosen !== undefined) {
          assertNamespace(chosen)
          await writeSettings(io.env, { ...readSettings(io.env), namespace: chosen })
        }
        const namespace = chosen ?? current
        await output.result({ namespace }, () => namespace)
        return undefined
      }),
    )
}
