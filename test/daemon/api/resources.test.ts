import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { documentOf, until } from './api-client.js'
import { ApiUnderTest } from './api-under-test.js'

const digestOf = (content: Buffer) => createHash('sha256').update(content).digest('hex')
const STALL_MS = 200
const HEADERS = { 'content-type': 'application/octet-stream' }

describe('uploads over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open({ uploadStallMs: STALL_MS })
  })
  afterEach(() => under.close())

  const nothingStored = async () => {
    expect(await under.storedBlobs()).toEqual([])
    await until('temporary files are gone', async () => {
      return (await readdir(join(under.directory.path, 'blobs', 'new'))).length === 0
    })
  }

  it('are stored byte for byte, with and without a length', async () => {
    const content = randomBytes(5_000_000)
    for (const headers of [{ ...HEADERS, 'content-length': content.length }, HEADERS]) {
      const { request, answer } = await under.connect('POST', `/v1/resources?sha256=${digestOf(content)}`, headers)
      request.end(content)
      expect((await answer).statusCode).toBe(201)
      expect(await documentOf(await answer)).toEqual({
        sha256: digestOf(content),
        length: content.length,
        compression: 'gzip',
        entries: 1,
      })
    }
    expect(await under.storedBlobs()).toEqual([digestOf(content)])
  })

  it('are described in OpenAPI by their content type', async () => {
    interface OpenApi {
      readonly paths: Record<string, { readonly post: { readonly requestBody?: { readonly content: object } } }>
    }
    const { document } = await under.ask<OpenApi>('GET', '/openapi.json')
    const content = document.paths['/v1/resources']?.post.requestBody?.content ?? {}
    expect(Object.keys(content)).toEqual(['application/octet-stream'])
  })

  it('may take any time, as long as they make progress', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    expect(under.api.server.requestTimeout).toBe(0)
    let socket: Socket | undefined
    under.api.server.once('connection', (accepted) => (socket = accepted))
    const { request, answer } = await under.connect('POST', '/v1/resources', HEADERS)
    // Each window of the stall limit gets a few bytes.
    for (let piece = 0; piece < 10; piece += 1) {
      const before = socket?.bytesRead ?? 0
      request.write('slow ')
      await until('the piece has arrived', () => (socket?.bytesRead ?? 0) > before)
      vi.advanceTimersByTime(STALL_MS)
    }
    request.end()
    expect((await answer).statusCode).toBe(201)
  })

  it('are ended when they stall', async () => {
    const { request, answer } = await under.connect('POST', '/v1/resources', { ...HEADERS, 'content-length': 100 })
    request.write('and then nothing')
    expect(await documentOf(await answer)).toMatchObject({ status: 400, code: 'body-too-slow' })
    request.destroy()
    await nothingStored()
  })

  it('that are refused at once report the reason, even if the client keeps sending', async () => {
    const { request, answer } = await under.connect('POST', '/v1/resources', {
      ...HEADERS,
      'content-length': 30_000_004,
    })
    request.write('EVIL')
    request.end(Buffer.alloc(30_000_000))
    expect(await documentOf(await answer)).toMatchObject({ status: 400, code: 'path-escapes', detail: /etc\/passwd/ })
    await nothingStored()
  })

  it('that are refused at the end were never visible', async () => {
    expect(await under.send('fine until EVIL')).toMatchObject({ status: 400, code: 'path-escapes' })
    await nothingStored()
  })

  it('that are cut short store nothing', async () => {
    const { request } = await under.connect('POST', '/v1/resources', { ...HEADERS, 'content-length': 1_000_000 })
    request.write(Buffer.alloc(500_000))
    await until('the upload has begun', async () => {
      return (await readdir(join(under.directory.path, 'blobs', 'new'))).length === 1
    })
    request.destroy()
    await nothingStored()
    expect(under.logged.join('')).not.toMatch(/request failed/)
  })

  it.each([
    [`?sha256=${'0'.repeat(64)}`, 400, 'digest-mismatch'],
    ['?sha256=abc', 400, 'bad-digest'],
    ['?md5=abc', 400, 'bad-document'],
  ])('with %s are refused', async (query, status, code) => {
    expect(await under.send('content', query)).toMatchObject({ status, code })
    await nothingStored()
  })

  it('that are too large are refused by the announced length, and by the length sent', async () => {
    const announced = await under.connect('POST', '/v1/resources', { ...HEADERS, 'content-length': 60_000_000 })
    announced.request.flushHeaders()
    expect(await documentOf(await announced.answer)).toMatchObject({ status: 403, code: 'package-quota' })
    announced.request.destroy()
    const sent = await under.connect('POST', '/v1/resources', HEADERS)
    sent.request.end(Buffer.alloc(51_000_000))
    expect(await documentOf(await sent.answer)).toMatchObject({ status: 403, code: 'package-quota' })
    await nothingStored()
  })

  it('are raw', async () => {
    const answer = await under.ask('POST', '/v1/resources', { not: 'a tarball' })
    expect(answer.document.status).toBe(415)
  })
})
