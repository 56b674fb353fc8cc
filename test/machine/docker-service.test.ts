import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Staging } from '../../daemon/documents/staging.js'
import { runProcess } from '../../base/run-process.js'
import { leftovers, removeImages } from '../engine/support/leftovers.js'
import { PrivateDaemon, until } from '../engine/support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../engine/support/tarballs.js'

/** A stager that takes long, but only once. */
const PATIENT = `#!/bin/sh
echo working
[ -n "$GO" ] || sleep 30
wget -q -O - --post-data='' "$STAGER_URL/done"
`

let daemon: PrivateDaemon

const systemctl = (...args: string[]) => runProcess('systemctl', args)
/** The main processes only: containers live in groups of their own. */
const kill = (...services: string[]) => systemctl('kill', '--signal=KILL', '--kill-whom=main', ...services)
const killShims = () => runProcess('pkill', ['-KILL', '--full', '^/usr/bin/containerd-shim-'])
const isAnswered = async () => (await daemon.call('GET', '/readyz')).status === 200

beforeEach(async () => {
  daemon = await PrivateDaemon.start(['--concurrency', '1', '--drain-timeout', '1s'])
  const file = (name: string) => path.join(daemon.directory, name)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  await daemon.addPackage(await stagerTarball(file('program.tar.gz'), { patient: PATIENT }), 'program', {
    dependencies: 'os.linux',
  })
  await daemon.addStager({ name: 'patient', package: 'package::/::program', start_command: './patient' })
  const site = await tarballOf(file('site.tar.gz'), { 'index.html': 'hello' })
  for (const name of ['first', 'second']) await daemon.addPackage(site, name, { state: 'uploaded' })
})

afterEach(async () => {
  await systemctl('start', 'docker.socket', 'docker.service')
  await removeImages(daemon)
  await daemon.close()
})

const AGAIN = ['aborted', 'done']
const GOES_ON = ['done']

/** What is done to a node on which one staging runs and another one is queued. */
const EVENTS: readonly {
  readonly what: string
  readonly during: (running: Staging) => Promise<unknown>
  readonly after?: () => Promise<unknown>
  /** What became of the launches of the staging that ran. */
  readonly launches: readonly string[]
  /** The same of the one that was queued, if it began during the event. */
  readonly queued?: readonly string[]
}[] = [
  {
    // The socket too: else the question whether the Engine is back would start it.
    what: 'docker stopped, and started later',
    during: async () => {
      await systemctl('stop', 'docker.socket', 'docker.service')
      await until('the daemon has noticed', async () => !(await isAnswered()))
    },
    after: () => systemctl('start', 'docker.socket', 'docker.service'),
    launches: AGAIN,
  },
  {
    what: 'docker restarted',
    during: () => systemctl('restart', 'docker.service'),
    launches: AGAIN,
  },
  // systemd starts it again.
  {
    what: 'docker killed',
    during: () => kill('docker.service'),
    launches: AGAIN,
  },
  {
    what: 'containerd restarted',
    during: () => systemctl('restart', 'containerd.service'),
    launches: GOES_ON,
  },
  {
    what: 'containerd killed',
    during: () => kill('containerd.service'),
    launches: GOES_ON,
  },
  {
    what: 'containerd stopped, and started later',
    during: async (running) => {
      await systemctl('stop', 'containerd.service')
      await daemon.ended(running.uuid)
      await until('the queued one is lost', async () => (await daemon.log()).includes('waiting for the Docker Engine'))
    },
    after: () => systemctl('start', 'containerd.service'),
    launches: GOES_ON,
    queued: AGAIN,
  },
  // Shims are the parents of containers, and tell containerd of their end.
  {
    what: 'containerd and its shims killed',
    during: () => systemctl('kill', '--signal=KILL', 'containerd.service'),
    launches: AGAIN,
  },
  {
    what: 'containerd stopped and its shims killed, and started later',
    during: async () => {
      await systemctl('stop', 'containerd.service')
      await killShims()
    },
    after: async () => {
      await until('the daemon has noticed', async () => !(await isAnswered()))
      await systemctl('start', 'containerd.service')
    },
    launches: AGAIN,
  },
  {
    what: 'stagerd stopped, and started later',
    during: () => daemon.stop(),
    after: () => daemon.restart(),
    launches: AGAIN,
  },
  {
    what: 'stagerd killed, and started later',
    during: () => daemon.kill(),
    after: () => daemon.restart(),
    launches: AGAIN,
  },
  {
    what: 'docker and stagerd stopped, and started later, as for a reboot',
    during: async () => {
      await daemon.stop()
      await systemctl('stop', 'docker.socket', 'docker.service', 'containerd.service')
    },
    after: async () => {
      await systemctl('start', 'docker.socket', 'docker.service')
      await daemon.restart()
    },
    launches: AGAIN,
  },
  {
    what: 'docker, containerd and stagerd killed',
    during: async () => {
      await kill('docker.service', 'containerd.service')
      await daemon.kill()
    },
    after: () => daemon.restart(),
    launches: AGAIN,
  },
]

describe('with one staging that runs and one that is queued', () => {
  it.each(EVENTS)(
    '$what: both succeed, and nothing is left',
    async ({ during, after, launches, queued: later = GOES_ON }) => {
      const running = await daemon.submit('first', 'patient')
      await until('the stager works', async () => (await daemon.log()).includes('"step":"mounts"'))
      const queued = await daemon.submit('second', 'patient')
      expect(await daemon.ask('GET', `/v1/stagings/${queued.uuid}`)).toMatchObject({ state: 'queued' })

      // Before the event: afterwards the daemon may be gone. Launches that come later end at once.
      await daemon.ask('PATCH', `/v1/packages/${encodeURIComponent('package::/::program')}`, {
        environment_set: { GO: 'yes' },
      })
      await during(running)
      await after?.()

      const ended = await Promise.all([running, queued].map(({ uuid }) => daemon.ended(uuid)))
      expect(ended.map(({ state, failure }) => ({ state, failure }))).toEqual([
        { state: 'succeeded', failure: undefined },
        { state: 'succeeded', failure: undefined },
      ])
      expect(ended.map((staging) => staging.launches.map(({ state }) => state))).toEqual([launches, later])
      await until('nothing is left', async () => (await leftovers(daemon)).length === 0)
    },
  )
})
