import { createHash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { documentOf, until } from './api-client.js'
import { ApiUnderTest } from './api-under-test.js'

const HEADERS = { 'content-type': 'application/octet-stream' }
const digestOf = (content: Buffer | string) => createHash('sha256').update(content).digest('hex')

/** Bytes that end as a flush of deflate does. */
const segment = (text: string) => Buffer.concat([Buffer.from(text), Buffer.from([0, 0, 0xff, 0xff])])
const [one, two, three, other] = ['one', 'two', 'three', 'other'].map(segment) as [Buffer, Buffer, Buffer, Buffer]
const end = Buffer.from('end')

const have = (bytes: Buffer) => Buffer.from(`have ${digestOf(bytes)}\n`)
const data = (bytes: Buffer, digest = digestOf(bytes), length = bytes.length) =>
  Buffer.concat([Buffer.from(`data ${digest} ${length}\n`), bytes])

describe('uploads of what has changed', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open({ uploadStallMs: 200 })
  })
  afterEach(() => under.close())

  /** A package with this archive. */
  async function addPackage(name: string, parts: readonly Buffer[], namespace = '/acme'): Promise<string> {
    const resource = await under.upload(Buffer.concat(parts))
    const { document } = await under.ask('POST', '/v1/packages', { namespace, name, resource })
    return `/v1/packages/${String(document['uuid'])}`
  }

  const lacking = async (path: string, parts: readonly Buffer[]) => {
    const body = { segments: parts.map((part) => digestOf(part)) }
    return (await under.ask('POST', `${path}/source/lacking`, body)).document
  }

  async function assemble(path: string, composition: readonly (Buffer | string)[]): Promise<Record<string, unknown>> {
    const { request, answer } = await under.connect('POST', `${path}/source`, HEADERS)
    request.end(Buffer.concat(composition.map((part) => Buffer.from(part))))
    return documentOf(await answer)
  }

  const nothingInProgress = () =>
    until('temporary files are gone', async () => {
      return (await readdir(join(under.directory.path, 'blobs', 'new'))).length === 0
    })

  it('are assembled from the source before and from what is sent, byte for byte', async () => {
    const app = await addPackage('app', [one, two, three, end])
    const wanted = [three, other, one, end]
    expect(await lacking(app, wanted)).toEqual({ lacking: [1] })
    const archive = Buffer.concat(wanted)
    expect(await assemble(app, [have(three), data(other), have(one), have(end)])).toEqual({
      sha256: digestOf(archive),
      length: archive.length,
      compression: 'gzip',
      entries: 1,
    })
    expect(await under.storedBlobs()).toContain(digestOf(archive))
  })

  it('find the source of the last staging, and not only the data of the package', async () => {
    const app = await addPackage('app', [one, end])
    await addPackage('program', [three, end])
    await under.ask('POST', '/v1/stagers', {
      namespace: '/acme',
      name: 's',
      package: 'package::/acme::program',
      start_command: 'x',
    })
    await under.ask('POST', '/v1/stagingpipelines', { namespace: '/acme', name: 'p', stagers: ['job::/acme::s'] })
    const source = { resource: await under.upload(Buffer.concat([two, end])) }
    const draft = { package: 'package::/acme::app', pipeline: 'stagpipe::/acme::p', source }
    expect((await under.ask('POST', '/v1/stagings', draft)).status).toBe(201)
    expect(await lacking(app, [one, two, end])).toEqual({ lacking: [0] })
  })

  it('never get the data of another package', async () => {
    await addPackage('secret', [one, two, end], '/others')
    await addPackage('neighbour', [one, two, end])
    const app = await addPackage('app', [three, end])
    expect(await lacking(app, [one, two, three])).toEqual({ lacking: [0, 1] })
    expect(await assemble(app, [have(one), have(end)])).toMatchObject({ status: 409, code: 'segment-unknown' })
    await nothingInProgress()
  })

  it('lack everything when the source before is gone or damaged', async () => {
    const parts = [one, two, end]
    const gone = await addPackage('gone', parts)
    const sha256 = digestOf(Buffer.concat(parts))
    const file = join(under.directory.path, 'blobs', 'sha256', sha256.slice(0, 2), sha256)
    await writeFile(file, Buffer.concat([one, other, end]))
    expect(await lacking(gone, parts)).toEqual({ lacking: [0, 1, 2] })
    await under.blobs.delete(sha256)
    expect(await lacking(gone, parts)).toEqual({ lacking: [0, 1, 2] })
    expect(await assemble(gone, [have(one)])).toMatchObject({ status: 409, code: 'segment-unknown' })
  })

  it('of two clients at once do not see each other', async () => {
    const app = await addPackage('app', [one, two, end])
    const compositions = [three, other].map((changed) => ({
      changed,
      composition: [have(one), data(changed), have(end)],
    }))
    await Promise.all(
      compositions.map(async ({ changed, composition }) => {
        const sha256 = digestOf(Buffer.concat([one, changed, end]))
        expect(await assemble(app, composition)).toMatchObject({ sha256 })
      }),
    )
  })

  it.each([
    ['a segment that is not what it is announced as', [data(other, digestOf(one))], 'digest-mismatch', 400],
    ['a segment that is cut short', [data(other, digestOf(other), other.length + 1)], 'bad-composition', 400],
    ['a segment that is too long', [`data ${digestOf(one)} 999999999\n`], 'segment-too-large', 413],
    ['a line that says nothing', ['give me everything\n'], 'bad-composition', 400],
    ['a line without an end', [`have ${digestOf(one)}`], 'bad-composition', 400],
    ['a line without an end, for ever', ['x'.repeat(1_000_000)], 'bad-composition', 400],
    ['a path in place of a digest', ['have ../../../etc/passwd\n'], 'bad-composition', 400],
    ['an archive that the scan refuses', [data(Buffer.from('EVIL'))], 'path-escapes', 400],
  ])('are refused with %s, and leave nothing', async (_what, composition, code, status) => {
    const app = await addPackage('app', [one, two, end])
    const before = await under.storedBlobs()
    const answer = await assemble(app, [have(one), ...composition])
    // The scan refuses what it begins with.
    if (code === 'path-escapes') expect(await assemble(app, composition)).toMatchObject({ code, status })
    else expect(answer).toMatchObject({ code, status, detail: expect.stringMatching(/^[^\n]+\.$/) as unknown })
    await nothingInProgress()
    if (code !== 'path-escapes') expect(await under.storedBlobs()).toEqual(before)
  })

  it('keep to the quota of the namespace, as a whole', async () => {
    const half = segment('x'.repeat(600))
    const small = await addPackage('app', [half, end], '/small')
    expect(await assemble(small, [have(half), have(half), have(end)])).toMatchObject({
      status: 403,
      code: 'package-quota',
    })
    await nothingInProgress()
  })

  it('that end in the middle leave nothing, and hold nothing', async () => {
    const app = await addPackage('app', [one, two, end])
    const before = await under.storedBlobs()
    const { request } = await under.connect('POST', `${app}/source`, { ...HEADERS, 'content-length': 10_000 })
    request.write(have(one))
    await until('it is being written', async () => {
      return (await readdir(join(under.directory.path, 'blobs', 'new'))).length === 1
    })
    request.destroy()
    await nothingInProgress()
    expect(await under.storedBlobs()).toEqual(before)
  })

  it('are ended when they stall', async () => {
    const app = await addPackage('app', [one, two, end])
    const { request, answer } = await under.connect('POST', `${app}/source`, { ...HEADERS, 'content-length': 10_000 })
    request.write(have(one))
    expect(await documentOf(await answer)).toMatchObject({ status: 400, code: 'body-too-slow' })
    request.destroy()
    await nothingInProgress()
  })

  it('ask about lists of digests only', async () => {
    const app = await addPackage('app', [one, end])
    for (const body of [{}, { segments: ['abc'] }, { segments: 'all' }, { segments: [], more: 1 }])
      expect(await under.ask('POST', `${app}/source/lacking`, body)).toMatchObject({ status: 400 })
    const many = { segments: Array.from({ length: 200_001 }, () => digestOf(one)) }
    expect(await under.ask('POST', `${app}/source/lacking`, many)).toMatchObject({ status: 400 })
    expect(
      await under.ask('POST', '/v1/packages/package%3A%3A%2Fno%3A%3Asuch/source/lacking', { segments: [] }),
    ).toMatchObject({
      status: 404,
      document: { code: 'package-not-found' },
    })
  })
})
