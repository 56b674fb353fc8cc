import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Controller } from '../../support/controller.js'
import { tarOf } from '../../support/tar-builder.js'
import { zipOf } from '../../support/zip-builder.js'
import { linesOf } from './support/answers.js'
import { Service } from './support/service.js'

const FLAGS = { packageQuota: '32MB' }

// What a controller sends and gets, on the wire, until its application is staged.
describe('requests, and the applications that they name', () => {
  let service: Service
  beforeAll(async () => {
    service = await Service.open(FLAGS)
  })
  afterAll(() => service.close())
  beforeEach(() => service.reset())

  it('does not answer what is no JSON, and counts it', async () => {
    for (const data of ['{', '\xff', '']) await expect(service.send(data, 300)).rejects.toThrow()
    const agent = new Agent({ connect: { socketPath: service.daemon.socket } })
    const { body } = await request('http://stagerd/metrics', { dispatcher: agent })
    expect(await body.text()).toContain('stagerd_cloud_foundry_requests_total{result="malformed"} 3')
    await agent.close()
  })

  it.each([
    ['{}', 'The request lacks'],
    ['[]', 'The request must be an object'],
    [JSON.stringify({ app_id: 'x', properties: { framework_info: {} }, download_uri: 'x', upload_uri: 'x' }), '"name"'],
    [
      JSON.stringify({
        app_id: 'x',
        properties: { framework_info: { name: 'node' }, environment: ['no variable'] },
        download_uri: 'x',
        upload_uri: 'x',
      }),
      '"no variable" is not a variable',
    ],
  ])('answers %s with what is wrong', async (data, error) => {
    expect(await service.send(data)).toEqual({
      task_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      task_log: '',
      error: expect.stringContaining(error) as string,
    })
  })

  it('takes a tar, too, follows redirects, and sends credentials only where they belong', async () => {
    service.controller.download = (request, response) => {
      if (request.url === '/download/x') response.writeHead(302, { location: '/there' }).end()
      else if (request.url === '/there')
        response.writeHead(307, { location: `http://localhost:${service.controller.port}/elsewhere` }).end()
      else response.end(tarOf({ name: 'server.js', data: 'x' }))
    }
    const uri = (path: string) => `http://user:s3%20cret@127.0.0.1:${service.controller.port}/${path}/x`
    const answer = await service.ask({ download_uri: uri('download'), upload_uri: uri('upload') })
    expect(answer.error).toBeUndefined()
    const basic = `Basic ${Buffer.from('user:s3 cret').toString('base64')}`
    expect(service.controller.downloads.map(({ authorization }) => authorization)).toEqual([basic, basic, undefined])
    expect(service.controller.uploads[0]?.headers.authorization).toBe(basic)
    expect(service.daemon.said('cret')).toBe(false)
  })

  it.each<[string, string, object, Partial<Pick<Controller, 'download' | 'upload'>>]>([
    [
      'the application is not there',
      'Failed downloading app',
      {},
      { download: (_, to) => void to.writeHead(404).end() },
    ],
    [
      'a redirect has no end',
      'Failed downloading app',
      {},
      { download: (_, to) => void to.writeHead(302, { location: '/' }).end() },
    ],
    [
      'the download breaks off',
      'Failed downloading app',
      {},
      {
        download: (_, to) => {
          to.writeHead(200, { 'content-length': 100 }).write('PK\x03\x04')
          setTimeout(() => to.destroy(), 50)
        },
      },
    ],
    ['an address is not allowed', 'Failed downloading app', { download_uri: 'http://10.1.2.3/' }, {}],
    [
      'a redirect leads to a metadata service',
      'Failed downloading app',
      {},
      { download: (_, to) => void to.writeHead(302, { location: 'http://169.254.169.254/' }).end() },
    ],
    ['a URI is none', 'Failed downloading app', { download_uri: 'nonsense' }, {}],
    ['the zip is cut off', 'Failed unpacking app', {}, { download: (_, to) => void to.end('PK\x03\x04abc') }],
    ['it is no archive', 'Failed unpacking app', {}, { download: (_, to) => void to.end('hello') }],
  ])('says which step has failed: %s', async (_what, error, more, endpoints) => {
    Object.assign(service.controller, endpoints)
    const answer = await service.ask(more)
    expect(answer.error).toContain(error)
    expect(linesOf(answer).at(-1)).toContain(error)
    expect(service.controller.uploads).toEqual([])
  })

  it('refuses a zip that climbs out', async () => {
    const zip = await zipOf([['aa/evil.js', 'x']])
    await service.serve(Buffer.from(zip.toString('latin1').replaceAll('aa/evil.js', '../evil.js'), 'latin1'))
    const answer = await service.ask()
    expect([answer.error, answer.task_log]).toEqual([
      'Failed unpacking app',
      expect.stringContaining('".." could lead out'),
    ])
  })

  it('is a failed staging with a cause and a log when its application cannot be fetched, and is not retried', async () => {
    service.controller.download = (_, to) => void to.writeHead(404).end()
    const { task_id: task } = await service.ask({ app_id: 'not-there' })
    const uuid = task.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    expect(await service.daemon.get(`/v1/stagings/${uuid}`)).toMatchObject({
      state: 'failed',
      failure: { cause: 'fetch-failed' },
      launches: [],
    })
    const { out } = await service.daemon.stagectl(['staging', 'logs', uuid])
    expect(out).toMatch(/The server of the application answered 404\.\n.*Failed downloading app\n/)
    expect(out).toContain('Cause: fetch-failed')
    expect((await service.daemon.stagectl(['staging', 'retry', uuid])).err).toContain(
      'before its data had been fetched',
    )
    expect(await service.daemon.get('/v1/packages/package::%2Fcloud-foundry::not-there')).toMatchObject({
      state: 'uploaded',
    })
  })

  it.each([
    ['has a length', { 'content-length': String(10 * 2 ** 30) }],
    ['has no length', {}],
  ])('ends a download of 10 GB that %s at the quota, before it is there', async (_what, headers) => {
    let sent = 0
    const zeros = Buffer.alloc(1024 * 1024)
    service.controller.download = (_, to) => {
      to.writeHead(200, headers)
      const body = Readable.from(
        (function* () {
          for (; sent < 10 * 2 ** 30; sent += zeros.length) yield zeros
        })(),
      )
      body.on('error', () => undefined)
      to.on('close', () => body.destroy())
      body.pipe(to)
    }
    const before = process.memoryUsage().rss
    const answer = await service.ask()
    const grown = process.memoryUsage().rss - before
    console.log(`of 10 GB, ${sent / 2 ** 20} MB were sent; the process has grown by ${Math.round(grown / 2 ** 20)} MB`)
    expect([answer.error, linesOf(answer).at(-2)]).toEqual([
      'Failed downloading app',
      'The application has more than the 33554432 bytes that are allowed.',
    ])
    expect(sent).toBeLessThan(64 * 2 ** 20)
    expect(grown).toBeLessThan(256 * 2 ** 20)
    expect(await readdir(path.join(service.daemon.stateDirectory, 'imports'))).toEqual([])
  })

  it('ends a zip that is small and becomes large at the quota', async () => {
    const bomb = await zipOf([['zeros', Buffer.alloc(64 * 2 ** 20)]], true)
    expect(bomb.length).toBeLessThan(2 ** 20)
    service.controller.download = (_, to) => void to.end(bomb)
    const answer = await service.ask()
    expect(answer.error).toBe('Failed unpacking app')
    expect(linesOf(answer).at(-2)).toMatch(/33554432 bytes/)
    expect(await readdir(path.join(service.daemon.stateDirectory, 'blobs/new'))).toEqual([])
  })
})
