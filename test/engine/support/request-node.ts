import path from 'node:path'
import type { NatsConnection } from '@nats-io/transport-node'
import { PrivateDaemon, until } from './private-daemon.js'
import { recipeTarball, stagerTarball } from './tarballs.js'

const BUILD = `#!/bin/sh
set -e
wget -q -O /tmp/data.tar.gz "$STAGER_URL/data"
tar tzf /tmp/data.tar.gz >/dev/null
echo building
sleep 0.3
wget -q -O - --post-data='' "$STAGER_URL/done"
`

/** A daemon that takes staging requests of Cloud Foundry, with a pipeline for Node.js applications, which prints `building`. */
export async function startRequestNode(
  nats: { readonly port: number },
  flags: readonly string[] = [],
): Promise<PrivateDaemon> {
  const daemon = await PrivateDaemon.start([
    ...['--cloud-foundry-nats', `nats://127.0.0.1:${nats.port}`],
    ...['--cloud-foundry-networks', '127.0.0.0/8', '--drain-timeout', '1m'],
    ...flags,
  ])
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  await addShellStager(daemon, 'nodejs', BUILD)
  return daemon
}

/** A stager that is a script for /bin/sh, and a pipeline of the same name. */
export async function addShellStager(daemon: PrivateDaemon, name: string, script: string): Promise<void> {
  const program = await stagerTarball(path.join(daemon.directory, `${name}.tar.gz`), { build: script })
  await daemon.addPackage(program, `${name}-program`, { dependencies: 'os.linux' })
  const stager = { name, package: `package::/::${name}-program`, start_command: './build' }
  await daemon.addStager({ ...stager, dependencies: [{ type: 'os', name: 'linux' }] })
}

/** Resolves when a daemon has subscribed: a message that is no request is answered. */
export async function isSubscribed(client: NatsConnection): Promise<void> {
  await until('a daemon is subscribed', () =>
    client.request('staging', '{}', { timeout: 1000 }).then(
      () => true,
      () => false,
    ),
  )
}
