import { randomBytes } from 'node:crypto'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bytesOf } from './api-client.js'
import { ApiUnderTest } from './api-under-test.js'

describe('downloads and quotas', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
  })
  afterEach(() => under.close())

  const content = randomBytes(3_000_000)
  const put = async () => {
    const resource = await under.upload(content)
    await under.ask('POST', '/v1/packages', { namespace: '/', name: 'one', resource })
    return resource
  }
  const get = async (headers: Record<string, string>) => {
    const { request, answer } = await under.connect('GET', '/v1/packages/%2F::one/data', headers)
    request.end()
    const response = await answer
    return { status: response.statusCode, headers: response.headers, body: await bytesOf(response) }
  }

  it('resume after an interruption, as long as the data is the same', async () => {
    const sha256 = await put()
    const tag = `"sha256:${sha256}"`
    const rest = await get({ range: 'bytes=2000001-', 'if-range': tag })
    expect(rest.status).toBe(206)
    expect(rest.headers).toMatchObject({
      'content-range': 'bytes 2000001-2999999/3000000',
      'content-length': '999999',
      etag: tag,
      'accept-ranges': 'bytes',
    })
    expect(rest.body.equals(content.subarray(2_000_001))).toBe(true)
    const other = await get({ range: 'bytes=2000001-', 'if-range': '"sha256:other"' })
    expect([other.status, other.body.length]).toEqual([200, 3_000_000])
    expect((await get({ range: 'bytes=0-5,9-' })).status).toBe(200)
    const beyond = await get({ range: 'bytes=3000000-' })
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */3000000'])
  })

  it('report damaged data, also for a range', async () => {
    const sha256 = await put()
    await appendFile(join(under.directory.path, 'blobs/sha256', sha256.slice(0, 2), sha256), 'more')
    expect((await get({ range: 'bytes=100-' })).status).toBe(500)
  })

  it.each([0, 1_500_000, 2_999_999])('refuse data with a flipped bit at %d before the first byte', async (at) => {
    const sha256 = await put()
    const path = join(under.directory.path, 'blobs/sha256', sha256.slice(0, 2), sha256)
    const decayed = await readFile(path)
    decayed.writeUInt8(decayed.readUInt8(at) ^ 1, at)
    await writeFile(path, decayed)
    for (const headers of [{}, { range: 'bytes=100-' }]) {
      const { status, body } = await get(headers)
      expect(status).toBe(500)
      expect(JSON.parse(body.toString())).toMatchObject({
        code: 'blob-corrupt',
        detail: expect.stringContaining('damaged: its content') as string,
      })
    }
    expect(under.logged.filter((line) => line.includes('blob-corrupt'))).toHaveLength(2)
    await under.upload(content)
    expect((await get({})).body.equals(content)).toBe(true)
  })

  it('are limited by the quota of the namespace, wherever the data comes from', async () => {
    const resource = await under.upload(randomBytes(2000))
    const draft = { namespace: '/small', name: 'one' }
    const made = await under.ask('POST', '/v1/packages', { ...draft, resource })
    expect(made.document).toMatchObject({ status: 403, code: 'package-quota' })
    expect(made.document.detail).toMatch(/A package in \/small may have 1000 B of data/)
    expect((await under.ask('POST', '/v1/packages', draft)).status).toBe(201)
    const attached = await under.ask('PUT', '/v1/packages/%2Fsmall::one/resource', { resource })
    expect(attached.document).toMatchObject({ status: 403, code: 'package-quota' })
    const { request, answer } = await under.connect('POST', '/v1/resources?namespace=/small', {
      'content-type': 'application/octet-stream',
      'content-length': 1001,
    })
    request.flushHeaders()
    // Before the first byte was sent.
    expect((await answer).statusCode).toBe(403)
    request.destroy()
  })

  it('a new name with another namespace is refused, with the way to move a package', async () => {
    await put()
    const answer = await under.ask('PATCH', '/v1/packages/%2F::one', { name: '/acme::one' })
    expect(answer.document).toMatchObject({ status: 400, code: 'namespace-fixed' })
    expect(answer.document.detail).toMatch(/the namespace of a package cannot be changed/)
  })
})
