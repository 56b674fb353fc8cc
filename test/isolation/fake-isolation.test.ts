import { describeIsolation } from '../contract/isolation.js'
import { FakeIsolation } from '../support/fake-isolation.js'

describeIsolation('FakeIsolation', () => {
  const isolation = new FakeIsolation()
  return Promise.resolve({
    isolation,
    root: [{ sha256: 'a'.repeat(64), removals: [], name: 'busybox' }],
    commandOf: ({ shell, fake }) => {
      isolation.stagers.set(shell, fake)
      return shell
    },
    image: (files, environment) => {
      const reference = `image-${isolation.images.size}`
      isolation.images.set(reference, { files, config: { environment: [environment] } })
      return Promise.resolve(reference)
    },
    traces: () => Promise.resolve([...isolation.left]),
    close: () => Promise.resolve(),
  })
})
