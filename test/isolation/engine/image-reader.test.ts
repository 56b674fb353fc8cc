import type Docker from 'dockerode'
import { expect, it } from 'vitest'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { ImageReader } from '../../../isolation/engine/image-reader.js'

const OWNER = { nodeId: '00000000-0000-4000-8000-000000000000', installDirectory: '/opt/stagerd' }
const PLAN = { id: '11111111-1111-4111-8111-111111111111', reference: 'debian:12', leaveOut: [] }

const IMAGE = { Id: 'sha256:1', RepoDigests: [], Os: 'linux', Architecture: 'amd64', Config: {} }
const VERSION = { Os: 'linux', Arch: 'amd64' }
const never = new AbortController().signal

it.each([
  [{ Os: 'linux', Architecture: 'arm64' }, 'linux/arm64'],
  [{ Os: 'linux', Architecture: '386' }, 'linux/386'],
  [{ Os: 'windows', Architecture: 'amd64' }, 'windows/amd64'],
])('an image for another host, %o, is refused before it is exported', async (platform, name) => {
  const engine = {
    getImage: () => ({ inspect: () => Promise.resolve({ ...IMAGE, ...platform }) }),
    version: () => Promise.resolve(VERSION),
  } as unknown as Docker
  const reader = new ImageReader(engine, OWNER, () => chooseCompressor())
  await expect(reader.read(PLAN, {}, () => Promise.resolve(), never)).rejects.toMatchObject({
    code: 'image-architecture',
    message: `The image "debian:12" is for ${name}, and this host runs linux/amd64: name an image for that, or the digest of that variant.`,
  })
})

it('an export that the Engine does not begin is given up, and its container removed', async () => {
  const containers = new Set<string>()
  let exportIsAborted = false
  let begin: () => void = () => undefined
  const begun = new Promise<void>((resolve) => (begin = resolve))
  const engine = {
    getImage: () => ({ inspect: () => Promise.resolve(IMAGE) }),
    version: () => Promise.resolve(VERSION),
    createContainer: ({ name }: { readonly name: string }) => {
      containers.add(name)
      return Promise.resolve({ id: '4128'.repeat(16) })
    },
    getContainer: (name: string) => ({
      export: ({ abortSignal }: { readonly abortSignal: AbortSignal }) =>
        new Promise((_, reject) => {
          begin()
          abortSignal.addEventListener('abort', () => {
            exportIsAborted = true
            reject(new Error('aborted'))
          })
        }),
      remove: () => Promise.resolve(containers.delete(name)),
    }),
  } as unknown as Docker
  const reader = new ImageReader(engine, OWNER, () => chooseCompressor())
  const stop = new AbortController()
  const reading = reader.read(PLAN, {}, () => Promise.reject(new Error('there is nothing to read')), stop.signal)
  await begun
  expect(containers.size).toBe(1)
  stop.abort(new Error('the daemon ends'))
  await expect(reading).rejects.toThrow('the daemon ends')
  expect(exportIsAborted).toBe(true)
  expect(containers.size).toBe(0)
})
