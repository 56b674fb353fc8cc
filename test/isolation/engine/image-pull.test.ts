import { PassThrough, Readable } from 'node:stream'
import type Docker from 'dockerode'
import { describe, expect, it } from 'vitest'
import { pullImage } from '../../../isolation/engine/image-pull.js'

const never = new AbortController().signal
const lines = (...messages: object[]) => Readable.from(messages.map((message) => `${JSON.stringify(message)}\r\n`))

/** An Engine that answers a pull with `answer`. */
const engine = (answer: Readable | Error) =>
  ({ pull: () => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)) }) as unknown as Docker

const refusal = (statusCode: number, message: string) => Object.assign(new Error(message), { statusCode })

describe('pulling an image', () => {
  it('reports the messages of the Engine, and the bytes of its progress bars', async () => {
    const said: string[] = []
    const answer = lines(
      { status: 'Pulling from library/debian', id: '12' },
      { status: 'Downloading', id: 'abc', progressDetail: { current: 1, total: 2 } },
      { status: 'Downloading', id: 'def', progressDetail: { current: 5, total: 9 } },
      { status: 'Extracting', id: 'abc', progressDetail: { current: 2, total: 2 } },
      { status: 'Pull complete', id: 'abc', progressDetail: {} },
      { status: 'Status: Downloaded newer image' },
    )
    const transferred: number[] = []
    const hooks = {
      progress: (line: string) => void said.push(line),
      transferred: (bytes: number) => void transferred.push(bytes),
    }
    await pullImage(engine(answer), 'debian:12', hooks, never)
    expect(transferred).toEqual([1, 6])
    expect(said).toEqual(['12: Pulling from library/debian', 'abc: Pull complete', 'Status: Downloaded newer image'])
  })

  it.each<[what: string, answer: Readable | Error, code: string]>([
    ['an unknown image', refusal(404, 'pull access denied for x'), 'no-such-image'],
    ['an unknown tag', refusal(500, 'manifest for x:1 not found: manifest unknown'), 'no-such-image'],
    [
      'an image for other processors',
      refusal(404, 'no matching manifest for linux/amd64: not found'),
      'image-architecture',
    ],
    ['a private image', refusal(500, 'Head "https://r/v2/x/manifests/1": no basic auth credentials'), 'registry-login'],
    ['an image that a login may not read', refusal(500, 'unauthorized: authentication required'), 'registry-login'],
    [
      'a private authority',
      refusal(500, 'tls: failed to verify certificate: x509: unknown authority'),
      'registry-untrusted',
    ],
    ['a registry without TLS', refusal(500, 'http: server gave HTTP response to HTTPS client'), 'registry-untrusted'],
    ['an unreachable registry', refusal(500, 'Get "https://r/v2/": dial tcp: i/o timeout'), 'registry-unreachable'],
    ['a lost connection to the registry', lines({ error: 'unexpected EOF' }), 'registry-unreachable'],
    ['a full disk', lines({ error: 'write /x: no space left on device' }), 'disk-full'],
    ['a lost connection to the Engine', brokenOff(), 'engine-down'],
  ])('reports %s', async (_what, answer, code) => {
    await expect(pullImage(engine(answer), 'x:1', {}, never)).rejects.toMatchObject({ code })
  })

  it('ends on an abort', async () => {
    const stop = new AbortController()
    const pulling = pullImage(engine(new PassThrough()), 'x:1', {}, stop.signal)
    stop.abort(new Error('changed my mind'))
    await expect(pulling).rejects.toThrow('changed my mind')
  })
})

function brokenOff(): Readable {
  return new Readable({
    read() {
      this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
    },
  })
}
