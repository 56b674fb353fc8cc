import { afterAll, beforeAll } from 'vitest'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CREATED_AHEAD, PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball } from '../support/tarballs.js'
import { describeLibrary } from './stager-library.js'

let daemon: PrivateDaemon

beforeAll(async () => {
  daemon = await PrivateDaemon.start(CREATED_AHEAD)
  await daemon.addPackage(await recipeTarball('debian-12'), 'debian-12', {
    provides: 'os.linux os.debian os.debian-12',
  })
  await daemon.addPackage(await recipeTarball('node'), 'node', {
    provides: 'runtime.node',
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

// Ruby and Python are made by the bootstrap of another node (bootstrap.test.ts).
describeLibrary(() => daemon, 'bash', 'Node.js')
