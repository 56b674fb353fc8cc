import { readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Staging } from '../../daemon/documents/staging.js'
import { packDirectory } from '../../cli/pack/pack-directory.js'
import { RealApi } from './support/real-api.js'
import { writeTree } from './support/workspace.js'

let real: RealApi
beforeEach(async () => {
  // For this clock, what the tests write is old: so its times tell each further change.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
  real = await RealApi.open()
  await real.addStager('/apcera', 'any')
  await real.addPipeline('/apcera', 'any', 'job::/apcera::any')
})
afterEach(async () => {
  vi.useRealTimers()
  await real.close()
})

/** Stages the directory, and cancels the staging, so that it can be staged again. Returns what was said. */
async function stage(
  directory: string,
  ...options: readonly string[]
): Promise<{ readonly said: string; readonly sha256: string }> {
  const { code, io } = await real.run([
    'stage',
    directory,
    '--name',
    'app',
    '--pipeline',
    'any',
    '--detach',
    ...options,
  ])
  if (code !== 0) throw new Error(io.err)
  await real.api.ask('POST', `/v1/stagings/${io.out.trim()}/cancel`)
  const { document } = await real.api.ask<Staging[]>('GET', '/v1/stagings')
  expect(document[0]).toMatchObject({ state: 'cancelled' })
  const [staging] = await real.api.store.ledger.list({ limit: 1 })
  return { said: io.err, sha256: staging?.source?.resource.sha256 ?? '' }
}

async function wholeDigest(directory: string): Promise<string> {
  const signal = new AbortController().signal
  const tarball = await packDirectory({ directory, prefix: '', env: { TMPDIR: real.root }, signal })
  await tarball.dispose()
  return tarball.sha256
}

/** Files in several groups. */
async function aSource(): Promise<string> {
  const files = Array.from({ length: 400 }, (_, index) => [`d${index % 7}/f${index}`, `${index} `.repeat(400)])
  return await writeTree(path.join(real.root, 'source'), Object.fromEntries(files) as Record<string, string>)
}

test('a second staging sends what has changed, and stages the archive of a whole upload', async () => {
  const directory = await aSource()
  const first = await stage(directory)
  expect(first.said).toMatch(/^Packed .* in .* s\.$/m)
  expect(first.sha256).toBe(await wholeDigest(directory))

  writeFileSync(path.join(directory, 'd3/f3'), 'changed')
  const second = await stage(directory)
  expect(second.said).toMatch(/^Read \d{1,2} of 400 files again in .* s\.$/m)
  expect(second.said).toMatch(/^Uploaded .* KB of .* KB in .* s\.$/m)
  expect(second.sha256).toBe(await wholeDigest(directory))
  expect(second.sha256).not.toBe(first.sha256)
})

test('when nothing has changed, nothing is sent', async () => {
  const directory = await aSource()
  const first = await stage(directory)
  const second = await stage(directory)
  expect(second.said).toContain('Read 0 of 400 files again')
  expect(second.said).not.toContain('Uploaded')
  expect(second.sha256).toBe(first.sha256)
})

test('what has not changed is submitted without a question, and asked for again where something is missing', async () => {
  const directory = await aSource()
  const { sha256 } = await stage(directory)
  const again = async (...options: readonly string[]) => {
    real.requests.length = 0
    const staged = await stage(directory, '--pipeline', '/apcera::any', ...options)
    expect(staged.sha256).toBe(sha256)
    return { ...staged, requests: [...real.requests] }
  }
  expect((await again()).requests).toEqual(['POST /v1/stagings'])
  expect((await again('-e', 'MODE=fast')).requests).toEqual(['POST /v1/stagings'])

  // A pipeline with a local name may be in either of two namespaces.
  real.requests.length = 0
  await stage(directory)
  expect(real.requests).toEqual([
    expect.stringMatching('GET /v1/stagingpipelines/'),
    expect.stringMatching('GET /v1/stagingpipelines/'),
    'POST /v1/stagings',
  ])

  await real.api.blobs.delete(sha256)
  const sent = await again()
  expect(sent.requests[0]).toBe('POST /v1/stagings')
  expect(sent.requests.at(-1)).toBe('POST /v1/stagings')
  expect(sent.said).toMatch(/^Uploaded /m)
  await real.api.ask('DELETE', `/v1/packages/${encodeURIComponent('/::app')}`)
  expect((await again()).requests).toContain('POST /v1/packages')
})

test('what has not changed is refused by what is busy, and by a name that does not exist, in the words of every staging', async () => {
  const directory = await aSource()
  await stage(directory)
  const refused = async (...options: readonly string[]) => {
    const { code, io } = await real.run(['stage', directory, '--name', 'app', '--pipeline', '/apcera::any', ...options])
    expect(code).not.toBe(0)
    return io.err
  }
  expect(await refused('--pipeline', '/apcera::other')).toContain('There is no pipeline stagpipe::/apcera::other')
  await real.addStager('/', 'mine')
  expect(await refused('--name', 'stager-mine')).toContain(
    'holds the program of job::/::mine: choose another name with --name',
  )
  await real.run(['stage', directory, '--name', 'app', '--pipeline', '/apcera::any', '--detach'])
  expect(await refused()).toContain('is being staged: wait for the staging, or cancel it')
})

test('an index that says what is there is not written again, but counts as used', async () => {
  const directory = await aSource()
  await stage(directory)
  const cache = path.join(real.root, 'cache/stagectl/uploads')
  const [name = ''] = readdirSync(cache)
  const file = path.join(cache, name)
  utimesSync(file, 1, 1)
  const { ino } = statSync(file)
  await stage(directory)
  expect(statSync(file)).toMatchObject({ ino })
  expect(statSync(file).mtimeMs).toBeGreaterThan(1_000)

  writeFileSync(path.join(directory, 'd3/f3'), 'changed')
  await stage(directory)
  expect(statSync(file).ino).not.toBe(ino)
})

test('the whole source is sent where the daemon has lost the one before, and where the index is lost', async () => {
  const directory = await aSource()
  const { sha256 } = await stage(directory)
  writeFileSync(path.join(directory, 'd3/f3'), 'changed')
  await real.api.blobs.delete(sha256)
  const second = await stage(directory)
  expect(second.said).toMatch(/^Packed /m)
  expect(second.sha256).toBe(await wholeDigest(directory))

  const cache = path.join(real.root, 'cache/stagectl/uploads')
  expect(readdirSync(cache)).toHaveLength(1)
  await rm(cache, { recursive: true })
  const third = await stage(directory)
  expect(third.said).toMatch(/^Packed /m)
  expect(third.sha256).toBe(second.sha256)
})
