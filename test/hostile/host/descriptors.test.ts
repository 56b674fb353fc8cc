import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ApiUnderTest } from '../../daemon/api/api-under-test.js'
import { connectRaw, get, openCoordinator } from '../../support/open-coordinator.js'
import { RawClient } from '../../support/raw-client.js'
import { checkKept, NothingMore } from '../support/stored.js'

/** Sets the limit of this process. A process of its own does that, because without descriptors none can be started. */
class DescriptorLimit {
  readonly #child = spawn('bash', ['-c', SET_LIMITS, 'set-limits', String(process.pid)])
  readonly #answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()

  /** @param soft the number of descriptors, or empty for the usual one */
  async set(soft: number | ''): Promise<void> {
    this.#child.stdin.write(`${soft}\n`)
    await this.#answers.next()
  }

  async close(): Promise<void> {
    await this.set('')
    this.#child.stdin.end()
  }
}

const SET_LIMITS = `usual=$(prlimit --pid "$1" --nofile --output SOFT --noheadings)
while read -r soft; do prlimit --pid "$1" --nofile="\${soft:-$usual}:"; echo set; done`

/** The lowest number that is free: of a limit of this number, nothing more can be opened. */
function lowestFree(): number {
  for (let number = 0; ; number++)
    // To list the directory would take a descriptor itself.
    if (!lstatSync(`/proc/self/fd/${number}`, { throwIfNoEntry: false })) return number
}

let limit: DescriptorLimit
beforeEach(async () => {
  limit = new DescriptorLimit()
  await limit.set('')
})
afterEach(() => limit.close())

it('without descriptors, the control API refuses what it cannot store, keeps what it has, and goes on afterwards', async () => {
  const under = await ApiUnderTest.open()
  try {
    const kept = await under.upload(gzipSync('kept'))
    const socket = await under.listen()
    const blobs = join(under.directory.path, 'blobs')
    const nothingMore = await NothingMore.than([blobs])
    // Connected before, so that it needs no descriptor any more.
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 })
    const send = (method: string, path: string, body?: Buffer) =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        const headers = body ? { 'content-type': 'application/octet-stream', 'content-length': body.length } : {}
        const sent = httpRequest({ socketPath: socket, agent, method, path, headers }, (answer) => {
          void answer
            .toArray()
            .then((parts) => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() }), reject)
        })
        sent.on('error', reject).end(body)
      })
    expect(await send('GET', '/healthz')).toMatchObject({ status: 200 })
    const waiting = await RawClient.connect(socket)

    await limit.set(lowestFree())
    const refused = await send('POST', '/v1/resources', gzipSync('lost'))
    const healthy = await send('GET', '/healthz')
    await limit.set('')

    expect(refused.status, refused.text).toBeGreaterThanOrEqual(500)
    expect(healthy.status).toBe(200)
    await nothingMore.check('an upload without descriptors')
    await checkKept('an upload before descriptors were exhausted', under.blobs, kept)
    expect(await under.upload(gzipSync('lost'))).toBe(createHash('sha256').update(gzipSync('lost')).digest('hex'))
    waiting.end()
    agent.destroy()
  } finally {
    await limit.set('')
    await under.close()
  }
})

it('without descriptors, the Stager API accepts nobody, and answers afterwards', async () => {
  const open = await openCoordinator()
  const before = await connectRaw(open)
  const client = RawClient.connect(open.url)
  await client
  await limit.set(lowestFree())
  before.send(get(open, 'meta'))
  await expect.poll(() => before.statuses).toEqual([200])
  await limit.set('')
  ;(await client).end()
  const after = await connectRaw(open)
  after.send(get(open, 'meta'))
  await expect.poll(() => after.statuses).toEqual([200])
})
