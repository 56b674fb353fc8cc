import { Option, type Command } from 'commander'
import type { StagerCache } from '../../daemon/documents/stager-cache.js'
import { formatBytes } from '../display/progress.js'
import { SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { nodeOption, type NodeOptions } from '../options/node-option.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { refInUse } from '../session/look-up.js'
import type { Session } from '../session/session.js'

interface CacheOptions extends NodeOptions {
  readonly package?: string
}

const PATH = '/v1/stager-caches'

export function addStagerCacheCommands(stager: Command, commandLine: CommandLine): void {
  const group = stager
    .command('cache')
    .description('What stagers keep from one staging of a package to the next, such as downloads.')
    .addHelpText('after', examples('stager cache list', 'stager cache clear nodejs --package shop'))
  group
    .command('list [stager]')
    .description('List the caches for the packages of the current namespace and its child namespaces.')
    .addOption(packageOption('list only the cache for this package'))
    .addOption(nodeOption())
    .addHelpText('after', examples('stager cache list', 'stager cache list nodejs --namespace /'))
    .action(
      commandLine.run(async (session, options: CacheOptions, name?: string) => {
        const { api, output, namespace, signal } = session
        const query = await queryOf(session, name, options)
        const caches = await api.get<StagerCache[]>(PATH, { query, signal })
        await output.result(caches, () =>
          table(
            output,
            [
              { head: 'PACKAGE', shorten: SHORTEN_NAME },
              { head: 'STAGER', shorten: SHORTEN_NAME },
              { head: 'SIZE' },
              { head: 'LAST USE' },
            ],
            caches.map((one) => [
              one.package,
              one.stager,
              formatBytes(one.bytes),
              one.used_at.slice(0, 16).replace('T', ' '),
            ]),
            `Nothing is kept for packages in ${namespace}.`,
          ),
        )
        return EXIT.success
      }),
    )
  group
    .command('clear [stager]')
    .description('Empty these caches, for the packages of the current namespace and its child namespaces.')
    .addOption(packageOption('only the cache for this package'))
    .addOption(nodeOption())
    .addHelpText('after', examples('stager cache clear', 'stager cache clear nodejs --package shop'))
    .action(
      commandLine.run(async (session, options: CacheOptions, name?: string) => {
        const { api, output, signal } = session
        const query = await queryOf(session, name, options)
        const cleared = await api.delete<StagerCache[]>(PATH, { query, signal })
        await output.result(cleared, () => {
          const bytes = cleared.reduce((total, one) => total + one.bytes, 0)
          return cleared.length === 0
            ? 'There is nothing to clear.'
            : `Cleared ${cleared.length}, ${formatBytes(bytes)}.`
        })
        return EXIT.success
      }),
    )
}

function packageOption(description: string): Option {
  return new Option('--package <name>', description)
}

async function queryOf(session: Session, stager: string | undefined, { package: name, node }: CacheOptions) {
  return {
    namespace: name === undefined ? session.namespace : undefined,
    stager: stager === undefined ? undefined : await refInUse(session, stager, 'job'),
    package: name === undefined ? undefined : session.ref(name, 'package'),
    node,
  }
}
