import { expect, it } from 'vitest'
import { Leases } from '../../../base/leases.js'
import { Collector, type CollectorParts } from '../../../daemon/garbage/collector.js'

const LONG_AGO = new Date(0)
const errorOf = (code: string) => Object.assign(new Error(code), { code })

/** A collection of three blobs and three logs; those that begin with `bad` cannot be removed. */
async function collect(error: Error) {
  const gone: string[] = []
  const remove = (id: string) => (id.startsWith('bad') ? Promise.reject(error) : Promise.resolve(void gone.push(id)))
  const parts = {
    references: {
      resources: () => Promise.resolve([]),
      history: () => Promise.resolve([]),
      stagings: () => Promise.resolve([]),
      forgetStagings: () => Promise.resolve([]),
    },
    blobs: {
      list: async function* () {
        for (const sha256 of ['a blob', 'bad blob', 'the last blob'])
          yield await Promise.resolve({ sha256, length: 1, modifiedAt: LONG_AGO })
      },
      now: () => Promise.resolve(new Date()),
      deleteIf: (id: string) => remove(id).then(() => true),
    },
    live: new Leases(),
    prepared: { clear: () => Promise.resolve() },
    isolation: { caches: () => Promise.resolve([]) },
    logs: {
      list: () =>
        Promise.resolve(
          ['a log', 'bad log', 'the last log'].map((staging) => ({ staging, length: 1, modifiedAt: LONG_AGO })),
        ),
      isTaken: () => false,
      delete: remove,
    },
    graceMs: 1,
  } as unknown as CollectorParts
  const collected = new Collector(parts).collect({ dryRun: false, olderThanMs: 0, keepBytes: undefined })
  return { failure: await collected.catch((failure: unknown) => failure), gone: gone.sort() }
}

it.each(['EIO', 'EROFS'])('what the disk does not let go (%s) keeps nothing else, and is told', async (code) => {
  const { failure, gone } = await collect(errorOf(code))
  expect(gone).toEqual(['a blob', 'a log', 'the last blob', 'the last log'])
  expect(failure).toMatchObject({
    code: 'disk-error',
    message: expect.stringContaining('remove the blob bad blob') as string,
  })
})

it('what is not the disk ends it', async () => {
  const { failure, gone } = await collect(errorOf('ECONNREFUSED'))
  expect(failure).toMatchObject({ code: 'ECONNREFUSED' })
  expect(gone).toEqual(['a blob', 'a log'])
})
