import type Docker from 'dockerode'
import { expect, it } from 'vitest'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { ImageReader } from '../../../isolation/engine/image-reader.js'

const OWNER = { nodeId: '00000000-0000-4000-8000-000000000000', installDirectory: '/opt/stagerd' }
const PLAN = { id: '11111111-1111-4111-8111-111111111111', reference: 'debian:12', leaveOut: [] }

it('an export that the Engine does not begin is given up, and its container removed', async () => {
  const containers = new Set<string>()
  let exportIsAborted = false
  let begin: () => void = () => undefined
  const begun = new Promise<void>((resolve) => (begin = resolve))
  const engine = {
    getImage: () => ({ inspect: () => Promise.resolve({ Id: 'sha256:1', Config: {} }) }),
    createContainer: ({ name }: { readonly name: string }) => {
      containers.add(name)
      return Promise.resolve({ id: name })
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
