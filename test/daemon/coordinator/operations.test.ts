import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openCoordinator } from '../../support/open-coordinator.js'

const hash = (algorithm: string, data: Buffer) => createHash(algorithm).update(data).digest('hex')
const form = (fields: Record<string, string>) => new URLSearchParams(fields)
const multipart = (fields: Record<string, string>) => {
  const data = new FormData()
  for (const [name, value] of Object.entries(fields)) data.append(name, value)
  return data
}
const LARGE = Buffer.alloc(5_000_000, 'stagerd')

describe('GET /data', () => {
  it('returns the package, byte for byte, with its length if it is known', async () => {
    const { url, handler } = await openCoordinator()
    handler.data = LARGE
    const response = await fetch(`${url}/data`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(response.headers.get('content-length')).toBe(String(LARGE.length))
    expect(Buffer.from(await response.arrayBuffer()).equals(LARGE)).toBe(true)
  })

  it('is chunked if the length is not known', async () => {
    const { url, handler } = await openCoordinator()
    handler.announceLength = false
    const response = await fetch(`${url}/data`)
    expect(response.headers.get('content-length')).toBeNull()
    expect(Buffer.from(await response.arrayBuffer()).equals(handler.data)).toBe(true)
  })
})

describe('POST /data', () => {
  it.each(['sha256', 'sha1'])('replaces the package, checked by %s, and answers exactly OK', async (algorithm) => {
    const { url, handler } = await openCoordinator()
    const response = await fetch(`${url}/data?${algorithm}=${hash(algorithm, LARGE)}`, { method: 'POST', body: LARGE })
    expect([response.status, await response.text()]).toEqual([200, 'OK'])
    expect(handler.data.equals(LARGE)).toBe(true)
  })

  it('accepts a digest in capitals, and both digests together', async () => {
    const { url, handler } = await openCoordinator()
    const digests = `sha256=${hash('sha256', LARGE).toUpperCase()}&sha1=${hash('sha1', LARGE)}`
    const response = await fetch(`${url}/data?${digests}`, { method: 'POST', body: LARGE })
    expect(response.status).toBe(200)
    expect(handler.data.equals(LARGE)).toBe(true)
  })
})

describe('GET /meta', () => {
  it('returns every list and the environment, even if they are empty', async () => {
    const { url } = await openCoordinator()
    const response = await fetch(`${url}/meta`)
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    expect(await response.json()).toEqual({ dependencies: [], provides: [], environment: {}, templates: [] })
  })
})

describe.each([
  ['urlencoded', form],
  ['multipart', multipart],
])('PUT /meta with a form that is %s', (_, encode) => {
  it.each([
    [
      { resource: 'environment', action: 'add', key: 'RAILS_ENV', value: 'production & ü =%' },
      { environment: { RAILS_ENV: 'production & ü =%' } },
    ],
    [
      { resource: 'environment', action: 'add', key: 'START_COMMAND', value: '' },
      { environment: { START_COMMAND: '' } },
    ],
    [
      { resource: 'provides', action: 'add', type: 'runtime', name: 'ruby-1.9' },
      { provides: [{ type: 'runtime', name: 'ruby-1.9' }] },
    ],
    [
      { resource: 'dependencies', action: 'add', type: 'package', name: 'build-essential' },
      { dependencies: [{ type: 'package', name: 'build-essential' }] },
    ],
    [
      { resource: 'templates', action: 'add', path: 'bar' },
      { templates: [{ path: 'bar', left_delimiter: '{{', right_delimiter: '}}' }] },
    ],
    [
      { resource: 'templates', action: 'add', path: 'foo', left_delimiter: '<<', right_delimiter: '>>' },
      { templates: [{ path: 'foo', left_delimiter: '<<', right_delimiter: '>>' }] },
    ],
  ] as const)('adds and removes %j', async (fields, expected) => {
    const { url } = await openCoordinator()
    const nothing = { dependencies: [], provides: [], environment: {}, templates: [] }
    const put = async (change: Record<string, string>) => {
      const response = await fetch(`${url}/meta`, { method: 'PUT', body: encode(change) })
      expect([response.status, await response.text()]).toEqual([200, 'OK'])
      return (await fetch(`${url}/meta`)).json()
    }
    expect(await put(fields)).toEqual({ ...nothing, ...expected })
    expect(await put({ ...fields, action: 'remove' })).toEqual(nothing)
  })

  it('may be sent with POST, as the oldest client does', async () => {
    const { url, handler } = await openCoordinator()
    const body = encode({ resource: 'environment', action: 'add', key: 'A', value: '1' })
    expect((await fetch(`${url}/meta`, { method: 'POST', body })).status).toBe(200)
    expect(handler.meta.environment).toEqual({ A: '1' })
  })
})

describe('POST /snapshot', () => {
  it.each([
    ['no body', '', undefined, 'snapshot (everything)'],
    ['an empty form', '', form({}), 'snapshot (everything)'],
    ['an empty directory', '?directory=', undefined, 'snapshot (everything)'],
    ['a query', '?directory=/opt/ruby%202', undefined, 'snapshot /opt/ruby 2'],
    [
      'paths to exclude',
      '?exclude=/tmp&exclude=/var/log',
      undefined,
      'snapshot (everything) without /tmp without /var/log',
    ],
    ['an urlencoded form', '', form({ directory: '/opt' }), 'snapshot /opt'],
    ['a multipart form', '', multipart({ directory: '/opt' }), 'snapshot /opt'],
    ['both, with equal values', '?directory=/opt', form({ directory: '/opt' }), 'snapshot /opt'],
  ])('with %s', async (_, query, body, call) => {
    const { url, handler } = await openCoordinator()
    const response = await fetch(`${url}/snapshot${query}`, { method: 'POST', ...(body && { body }) })
    expect([response.status, await response.text()]).toEqual([200, 'OK'])
    expect(handler.calls).toEqual([call])
  })
})

describe.each(['done', 'failed', 'relaunch'])('POST /%s', (verdict) => {
  it.each([
    ['no body', {}],
    ['no body and a form content type', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['no body and an invalid content type', { headers: { 'content-type': ';;' } }],
    ['an empty multipart form', { headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: '' }],
    ['an unexpected body', { body: 'thanks' }],
  ])('with %s', async (_, init) => {
    const { url, handler } = await openCoordinator()
    const response = await fetch(`${url}/${verdict}`, { method: 'POST', ...init })
    expect([response.status, await response.text()]).toEqual([200, 'OK'])
    expect(handler.calls).toEqual([`verdict ${verdict}`])
  })

  it('may be repeated: it is recorded once and answered OK each time', async () => {
    const { url, handler } = await openCoordinator()
    for (let times = 0; times < 3; times++)
      expect(await (await fetch(`${url}/${verdict}`, { method: 'POST' })).text()).toBe('OK')
    expect(handler.calls).toEqual([`verdict ${verdict}`])
  })
})

describe('a path', () => {
  it.each(['/UUID/meta', '/UUID/meta/', '//UUID//meta', '/UUID//meta//', '/UUID/meta?x=1', '/UUID/meta/?'])(
    'may be written as %s',
    async (path) => {
      const { origin, handler } = await openCoordinator()
      expect((await fetch(origin + path.replace('UUID', handler.launch))).status).toBe(200)
    },
  )
  it('may have the UUID in capitals', async () => {
    const { origin, handler } = await openCoordinator()
    expect((await fetch(`${origin}/${handler.launch.toUpperCase()}/meta`)).status).toBe(200)
  })
})

describe('POST /relaunch?if=needed', () => {
  const ask = async (url: string, path = 'relaunch?if=needed') => {
    const response = await fetch(`${url}/${path}`, { method: 'POST' })
    return [response.status, await response.text()]
  }

  it('is a relaunch where it is needed', async () => {
    const { url, handler } = await openCoordinator()
    expect(await ask(url)).toEqual([200, 'OK'])
    expect(handler.calls).toEqual(['needs relaunch', 'verdict relaunch'])
    // The first answer may have been lost.
    expect(await ask(url)).toEqual([200, 'OK'])
    expect((await ask(url, 'done'))[0]).toBe(452)
  })

  it('is no verdict where it is not needed', async () => {
    const { url, handler } = await openCoordinator()
    handler.relaunchIsNeeded = false
    for (let turn = 0; turn < 2; turn++) expect(await ask(url)).toEqual([200, 'NOT NEEDED'])
    expect(await ask(url, 'relaunch')).toEqual([200, 'OK'])
    expect(handler.calls).toEqual(['needs relaunch', 'needs relaunch', 'verdict relaunch'])
  })

  it.each(['relaunch?if=possible', 'relaunch?if=', 'done?if=needed', 'relaunch?if=needed&if=needed'])(
    'refuses another condition: %s',
    async (path) => {
      const { url, handler } = await openCoordinator()
      expect((await ask(url, path))[0]).toBe(499)
      expect(handler.calls).toEqual([])
    },
  )
})
