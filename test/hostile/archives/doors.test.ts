import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiUnderTest } from '../../daemon/api/api-under-test.js'
import { realArchives } from '../../support/real-archives.js'
import type { FakeStager } from '../../support/fake-isolation.js'
import { call, StagingHarness } from '../../support/staging-harness.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { Canary } from '../support/canary.js'
import { checkKept, NothingMore } from '../support/stored.js'
import { allArchives } from './all-archives.js'
import type { HostileArchive } from './hostile-archive.js'

/** What a door has answered. */
interface Answer {
  readonly accepted: boolean
  /** Of a refusal; the Stager API has none. */
  readonly code?: string | undefined
  readonly text: string
}

const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const cases = allArchives()

it('there are at least 160 of them, each of its own', () => {
  const digests = new Set(cases.map(({ archive }) => sha256Of(archive)))
  expect(digests.size).toBeGreaterThanOrEqual(160)
  expect(new Set(cases.map(({ what }) => what)).size).toBe(cases.length)
})

/** Checks what a door has answered, and that nothing is left of what it has refused. */
async function judge(hostile: HostileArchive, answer: Answer, nothingMore: NothingMore) {
  const { what } = hostile
  if ('code' in hostile) {
    expect(answer.accepted, `${what}: ${answer.text}`).toBe(false)
    if (answer.code !== undefined) expect(`${what}: ${answer.code}`).toBe(`${what}: ${hostile.code}`)
    if (hostile.names !== undefined) expect(answer.text).toContain(hostile.names)
    await nothingMore.check(what)
  } else expect(answer.accepted, `${what}: ${answer.text}`).toBe(true)
}

const storeIn = (place: string) => ['new', 'sha256'].map((name) => join(place, 'blobs', name))

describe('a hostile archive at the control API', () => {
  let under: ApiUnderTest
  let canary: Canary
  let place: string
  beforeAll(async () => {
    under = await ApiUnderTest.open({ archives: await realArchives(TEST_LIMITS) })
    place = under.directory.path
    canary = new Canary(place, (await readdir(place)).concat('api.sock', 'stagerd.db-wal', 'stagerd.db-shm'))
  })
  afterAll(() => under.close())

  it.each(cases)('$what', async (hostile) => {
    const nothingMore = await NothingMore.than(storeIn(place))
    const sent = await under.send(hostile.archive)
    const { sha256, code, detail = '' } = sent as { sha256?: string; code?: string; detail?: string }
    await judge(hostile, { accepted: sha256 !== undefined, code, text: detail }, nothingMore)
    if (sha256 !== undefined) await checkKept(hostile.what, under.blobs, sha256)
    canary.check(hostile.what)
  })
})

describe('a hostile archive at the Stager API', () => {
  let harness: StagingHarness
  let place: string
  let canary: Canary
  let ask: (archive: Buffer) => Promise<Answer>
  let finish: () => void
  beforeAll(async () => {
    harness = await StagingHarness.open(2, 0, await realArchives(TEST_LIMITS))
    place = harness.directory
    // One launch sends all of them.
    const end = new Promise<void>((resolve) => (finish = resolve))
    let begin: (url: string) => void = () => undefined
    const begun = new Promise<string>((resolve) => (begin = resolve))
    const sender: FakeStager = async ({ url }) => {
      begin(url)
      await end
      await call(url, 'POST /done')
    }
    const limits = { memoryBytes: 1 << 28, cpus: 1, pids: 64, diskBytes: 1 << 20, timeoutMs: 600_000 }
    await harness.addPipeline('hostile', { sender }, { limits })
    await harness.addPackage('app', { state: 'uploaded' })
    harness.start()
    await harness.submit('app', 'hostile')
    const url = await begun
    canary = new Canary(place, await readdir(place))
    ask = async (archive) => {
      const response = await fetch(`${url}/data?sha256=${sha256Of(archive)}`, {
        method: 'POST',
        body: new Uint8Array(archive),
      })
      const body = await response.text()
      expect([200, 499]).toContain(response.status)
      return { accepted: response.status === 200 && body === 'OK', text: body }
    }
  })
  afterAll(async () => {
    finish()
    await harness.close()
  })

  it.each(cases)('$what', async (hostile) => {
    const nothingMore = await NothingMore.than(storeIn(place))
    await judge(hostile, await ask(hostile.archive), nothingMore)
    canary.check(hostile.what)
  })
})
