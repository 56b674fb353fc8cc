import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CREATED_AHEAD, PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

const MIB = 2 ** 20

let daemon: PrivateDaemon
beforeAll(async () => {
  daemon = await PrivateDaemon.start(CREATED_AHEAD)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  await daemon.addPackage(await tarballOf(path.join(daemon.directory, 'app.tar.gz'), { x: 'y' }), 'app', {
    state: 'uploaded',
  })
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

/** What exceeds a limit, and then posts its verdict at once. */
const GREEDY = {
  'out-of-memory': ["sh -c 'x=a; while :; do x=$x$x; done'", { memory_bytes: 16 * MIB }],
  'pids-limit': ['(for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 9 & done) || true', { pids: 8 }],
  // At once, so that the periodic check and that of the verdict see it in the same moment.
  'disk-full': ['fallocate -l 200000000 /tmp/big', { disk_bytes: 8 * MIB }],
} as const

it('a stager that posts /done after its timeout, in its grace period, is refused and has failed by the timeout', async () => {
  const program = `#!/bin/sh
trap 'wget -q -O - --post-data= "$STAGER_URL/done" || echo refused; exit 0' TERM
sleep 60 & wait
`
  await daemon.addPackage(
    await stagerTarball(path.join(daemon.directory, 'late.tar.gz'), { stager: program }),
    'late',
    {
      dependencies: 'os.linux',
    },
  )
  await daemon.addStager({
    name: 'late',
    package: 'package::/::late',
    start_command: './stager',
    limits: { timeout_ms: 1_500 },
  })
  const { uuid } = await daemon.submit('app', 'late')
  expect(await daemon.ended(uuid)).toMatchObject({ state: 'failed', failure: { cause: 'timeout' } })
  const { stdout } = await daemon.stagectl('staging', 'logs', uuid)
  expect(stdout).toContain('POST /done was refused with 452 (UUID Not Current): This launch has ended: it ran longer')
  expect(stdout).toContain('refused\n')
})

it.each(['out-of-memory', 'pids-limit', 'disk-full'] as const)(
  'a stager that is over a limit is never ready, however fast it posts /done: %s',
  async (cause) => {
    const [exceed, limits] = GREEDY[cause]
    const program = `#!/bin/sh\n${exceed}\nexec wget -q -O - --post-data= "$STAGER_URL/done"\n`
    await daemon.addPackage(await stagerTarball(path.join(daemon.directory, 's.tar.gz'), { stager: program }), cause, {
      dependencies: 'os.linux',
    })
    await daemon.addStager({ name: cause, package: `package::/::${cause}`, start_command: './stager', limits })
    for (let attempt = 0; attempt < 4; attempt++) {
      const { uuid } = await daemon.submit('app', cause)
      const staging = await daemon.ended(uuid)
      expect(staging).toMatchObject({ state: 'failed', failure: { cause } })
      expect(staging.failure?.hint).toContain(`stagectl stager update job::/::${cause} --`)
    }
  },
)
