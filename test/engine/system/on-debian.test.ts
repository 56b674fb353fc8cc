import { afterAll, beforeAll, describe } from 'vitest'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CREATED_AHEAD, PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball } from '../support/tarballs.js'
import { describeDroplets } from './droplet-run.js'
import { describeHostileVariables } from './hostile-variables.js'
import { describeImages } from './stage-image.js'
import { describeStagerApi } from './stager-api.js'
import { describeLibrary } from './stager-library.js'

let daemon: PrivateDaemon

// It takes ten seconds of a processor until Debian is a layer and an image, so the tests that need no more share this node.
beforeAll(async () => {
  // What waits for a launch would be left over while the daemon runs.
  daemon = await PrivateDaemon.start()
  await daemon.addPackage(await recipeTarball('debian-12'), 'debian-12', {
    provides: 'os.linux os.debian os.debian-12',
  })
  await daemon.addPackage(await recipeTarball('node'), 'node-20', {
    provides: 'runtime.node runtime.node-20',
    dependencies: 'os.debian',
    environment: { PATH: '/opt/node-20/bin:$PATH' },
  })
})

afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

describeStagerApi(() => daemon)
describeImages(() => daemon)
describeDroplets(() => daemon)

describe('with containers that are created ahead', () => {
  beforeAll(async () => {
    await daemon.stop()
    await daemon.restart(CREATED_AHEAD)
  })

  // Ruby and Python are made by the bootstrap of another node (bootstrap.test.ts).
  describeLibrary(() => daemon, 'bash', 'Node.js')
  describeHostileVariables(() => daemon)
})
