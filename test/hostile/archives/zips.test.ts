import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StagerdError } from '../../../base/errors.js'
import { openFile } from '../../../cli/pack/open-file.js'
import { exitCodeOfError } from '../../../cli/session/exit-codes.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { ApiUnderTest } from '../../daemon/api/api-under-test.js'
import { scratch } from '../../support/small-trees.js'
import { Canary } from '../support/canary.js'
import { NothingMore } from '../support/stored.js'
import { HOSTILE_ZIPS } from './zips.js'

const signal = new AbortController().signal

describe('stagectl, given a hostile ZIP file', () => {
  it.each(HOSTILE_ZIPS)('$what', async ({ what, make, must }) => {
    const root = await scratch()
    const file = path.join(root, 'app.zip')
    await writeFile(file, await make())
    const canary = new Canary(root, ['app.zip'])
    const outcome = await take(file, root)
    canary.check(`the ZIP file with ${what}`)
    if (typeof must === 'string') expect(outcome).toBe(must)
    else expect(outcome).toMatch(must)
  })

  /** Opens it as `stagectl stage app.zip` does, and scans the tar as the daemon does. */
  async function take(file: string, root: string): Promise<string> {
    try {
      const tarball = await openFile({ file, env: { TMPDIR: root }, signal })
      try {
        return await scanArchive(Readable.from(tarball.read()), { ...DEFAULT_ARCHIVE_LIMITS }, signal).then(
          () => 'taken',
          (error: unknown) => (error instanceof StagerdError ? 'refused by the daemon' : String(error)),
        )
      } finally {
        await tarball.dispose()
      }
    } catch (error) {
      expect(exitCodeOfError(error)).toBe(4)
      expect((error as { code: string }).code).toMatch(/^(bad-zip|nothing-to-pack|archive-too-large)$/)
      return (error as Error).message
    }
  }
})

describe('the import of a hostile ZIP file', () => {
  let under: ApiUnderTest
  let canary: Canary
  beforeAll(async () => {
    under = await ApiUnderTest.open()
    const place = under.directory.path
    canary = new Canary(place, [...(await readdir(place)), 'api.sock', 'imports', 'stagerd.db-wal', 'stagerd.db-shm'])
  })
  afterAll(() => under.close())

  it.each(HOSTILE_ZIPS)('$what', async ({ what, make }) => {
    const place = under.directory.path
    const nothingMore = await NothingMore.than([path.join(place, 'blobs')])
    const { request, answer } = await under.connect('POST', '/v1/exchange', { 'content-type': 'application/zip' })
    request.end(await make())
    const answered = await answer
    const document = JSON.parse(Buffer.concat(await answered.toArray()).toString()) as { code: string }
    expect(document.code).toMatch(/^(bad-exchange-file|bad-manifest|exchange-too-large)$/)
    canary.check(`the import of ${what}`)
    await nothingMore.check(`the import of ${what}`)
  })
})
