import { randomUUID } from 'node:crypto'
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { formatLine, parsePiece } from '../../../daemon/log/log-file.js'
import type { LogObjects } from '../../../daemon/log/log-upload.js'
import { LogStore } from '../../../daemon/log/log-store.js'
import { contentOf } from '../../../daemon/log/open-log.js'
import { SharedLogs } from '../../../daemon/log/shared-logs.js'
import { Bucket } from '../../../daemon/store/s3/bucket.js'
import { claimBucket } from '../../../daemon/store/s3/claim-bucket.js'
import { S3BlobStore } from '../../../daemon/store/s3/s3-blob-store.js'
import { describeLogs } from '../../contract/logs.js'
import { collect } from '../../support/collect.js'
import { SwiftServer } from '../../support/s3/swift-server.js'
import { temporaryDirectory } from './temporary-directory.js'

let server: SwiftServer
let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let bucket: Bucket
beforeAll(async () => {
  server = await SwiftServer.open()
  directory = await temporaryDirectory()
})
afterAll(async () => {
  await server.close()
  await directory.remove()
})
beforeEach(async () => {
  const own = await Bucket.open({ ...server.options, prefix: `${randomUUID()}/`, attempts: 2 })
  bucket = own
  onTestFinished(() => own.close())
})

const logger = { warn: () => undefined }
const keys = async () => {
  const found: string[] = []
  for await (const { key } of bucket.list('')) found.push(key)
  return found
}

const etags = async (of: Bucket) => {
  const found: string[] = []
  for await (const { key, etag } of of.list('logs/')) found.push(`${key} ${etag}`)
  return found
}

describe('the objects of a database', () => {
  const [one, another] = [randomUUID(), randomUUID()]

  it('are there for all of its nodes, and refused to those of another', async () => {
    await claimBucket(bucket, one)
    await claimBucket(bucket, one)
    const refused = claimBucket(bucket, another)
    await expect(refused).rejects.toMatchObject({ kind: 'conflict', code: 'object-store-of-another' })
    await expect(refused).rejects.toThrow(bucket.nameOf(`databases/${one}`))
    expect(await keys()).toEqual([`databases/${one}`])
  })

  it('are never for two that begin at once', async () => {
    const claims = await Promise.allSettled([claimBucket(bucket, one), claimBucket(bucket, another)])
    expect(claims.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2)
    expect((await keys()).length).toBeLessThan(2)
  })
})

it('the time of a blob is also told by the clock of the server, as long as it has a clock', async () => {
  const [a, b] = await Promise.all([1, 2].map(() => S3BlobStore.open(bucket, join(directory.path, randomUUID()))))
  const before = await b!.now()
  const { sha256 } = await a!.write(Readable.from(['content']))
  const times: Date[] = []
  await b!.deleteIf(sha256, (_, storedAt) => times.push(storedAt) === 0)
  expect(times[0]!.getTime()).toBeGreaterThanOrEqual(before.getTime())
  expect(Math.abs(times[0]!.getTime() - before.getTime())).toBeLessThan(60_000)
  expect(a!.renewedAgo(sha256)).toBeLessThan(60_000)
  expect(b!.renewedAgo(sha256)).toBe(Infinity)
  expect((await keys()).filter((key) => !key.startsWith('blobs/'))).toEqual([])
})

/** Nodes whose logs are in one bucket. */
function fleet({ aloneMs = 60_000, pollMs = 20 } = {}) {
  const ended = new Set<string>()
  const requests: string[] = []
  let isAway = false
  const counted = <A extends unknown[], R>(what: string, request: (...of: A) => R) => {
    return (...of: A): R => {
      requests.push(what)
      if (isAway) throw new Error('the store is away')
      return request(...of)
    }
  }
  let passes: { readonly reached: () => void; readonly gate: Promise<void> } | undefined
  const put: LogObjects['put'] = async (...of) => {
    const holding = passes
    passes = undefined
    holding?.reached()
    await holding?.gate
    await bucket.put(...of)
  }
  const objects: LogObjects = {
    put: counted('put', put),
    upload: counted('upload', (...of) => bucket.upload(...of)),
    get: counted('get', (...of) => bucket.get(...of)),
    list: counted('list', (...of) => bucket.list(...of)),
    remove: counted('remove', (...of) => bucket.remove(...of)),
  }
  const newNode = () => {
    const path = join(directory.path, randomUUID())
    const shared = new SharedLogs(objects, logger, { aloneMs })
    onTestFinished(() => shared.stop())
    const open = () => new LogStore(path, (uuid) => Promise.resolve(ended.has(uuid)), { shared, pollMs })
    return { logs: open(), open, file: (staging: string) => join(path, `${staging}.ndjson`) }
  }
  const end = (staging: string) => void ended.add(staging)
  const away = (yes: boolean) => (isAway = yes)
  /** The next object is on its way for as long as the test wants. */
  const hold = () => {
    const [there, gate] = [new Deferred<void>(), new Deferred<void>()]
    const own = bucket
    passes = { reached: () => there.resolve(), gate: gate.promise }
    const arrives = async () => {
      const before = await etags(own)
      gate.resolve()
      await expect.poll(() => etags(own)).not.toEqual(before)
    }
    return { isThere: there.promise, arrives }
  }
  return { newNode, end, requests, away, hold }
}

describeLogs('LogStore of one node', async () => {
  const ended = new Set<string>()
  const own = await temporaryDirectory()
  onTestFinished(() => own.remove())
  const logs = new LogStore(own.path, (uuid) => Promise.resolve(ended.has(uuid)))
  return { nodes: [logs, logs], end: (staging) => void ended.add(staging) }
})

describeLogs('LogStore of nodes with an object store', () => {
  const { newNode, end } = fleet()
  return Promise.resolve({ nodes: [newNode().logs, newNode().logs], end })
})

describe('a log in an object store', () => {
  const staging = randomUUID()
  const signal = new AbortController().signal
  const textsOf = async (logs: LogStore) => {
    const texts: string[] = []
    for await (const { seq, text } of logs.follow(staging, { since: 0, follow: false, signal }))
      texts.push(`${seq} ${text}`)
    return texts
  }

  const followed = (logs: LogStore) => {
    const texts: string[] = []
    const follow = async () => {
      for await (const { text } of logs.follow(staging, { since: 0, follow: true, signal })) texts.push(text)
    }
    return { texts, over: follow() }
  }

  it('costs a staging of one launch two requests, and is one object', async () => {
    const { newNode, end, requests } = fleet()
    const writer = await newNode().logs.write(staging)
    await writer.message("Beginning staging with '/::pipeline' pipeline, 1 stager(s) defined.")
    await writer.append('stdout', ['output'])
    await writer.share()
    end(staging)
    await writer.message('Staging is complete.')
    await writer.close()
    expect(requests).toEqual(['put', 'put'])
    expect(await keys()).toHaveLength(1)
  })

  it('is one object when it is complete, however long it is, and whoever has written it', async () => {
    const { newNode, end } = fleet()
    const [a, b] = [newNode(), newNode()]
    for (const [node, number] of [
      [a, 1],
      [b, 2],
    ] as const) {
      const writer = await node.logs.write(staging, number)
      await writer.append(
        'stdout',
        Array.from({ length: 2_000 }, () => 'x'.repeat(50)),
      )
      if (node === b) end(staging)
      await writer.close()
    }
    expect(await keys()).toHaveLength(1)
    expect(await textsOf(newNode().logs)).toHaveLength(4_000)
  })

  it('is not ended by a node that does not know that another one has continued and ended it', async () => {
    const { newNode, end } = fleet()
    const [a, b] = [newNode(), newNode()]
    const long = Array.from({ length: 2_000 }, () => 'x'.repeat(50))
    const cutOff = await a.logs.write(staging)
    await cutOff.append('stdout', long)
    await cutOff.share()
    const taken = await b.logs.write(staging, 2)
    await cutOff.message('of a node without a lease')
    await taken.message('of the other node')
    end(staging)
    await cutOff.close()
    await taken.close()
    for (const { logs } of [a, b, newNode()]) expect((await textsOf(logs)).at(-1)).toBe('2001 of the other node')
  })

  it('keeps what a node has written and not shared before it died, if that node goes on', async () => {
    const { newNode } = fleet()
    const a = newNode()
    const writer = await a.logs.write(staging)
    await writer.message('shared')
    await writer.close()
    const time = new Date().toISOString()
    await appendFile(a.file(staging), formatLine({ seq: 2, time, stream: 'stdout', text: 'not shared' }))
    const next = await a.open().write(staging, 2)
    await next.message('after the restart')
    await next.share()
    expect(await textsOf(newNode().logs)).toEqual(['1 shared', '2 not shared', '3 after the restart'])
    await next.close()
  })

  it('has its end at the node that wrote it, also if that was started again before the store was back', async () => {
    const { newNode, end } = fleet()
    const a = newNode()
    const writer = await a.logs.write(staging)
    await writer.message('shared')
    await writer.close()
    const time = new Date().toISOString()
    await appendFile(a.file(staging), formatLine({ seq: 2, time, stream: 'stdout', text: 'not shared' }))
    end(staging)
    expect(await textsOf(a.open())).toEqual(['1 shared', '2 not shared'])
    expect(await textsOf(newNode().logs)).toEqual(['1 shared'])
  })

  it('is in a backup as the store has it, or longer', async () => {
    const { newNode, end } = fleet()
    const [a, b, c] = [newNode(), newNode(), newNode()]
    for (const { logs } of [a, b]) {
      const writer = await logs.write(staging, logs === a.logs ? 1 : 2)
      await writer.message(logs === a.logs ? 'of the first node' : 'of the second')
      if (logs === b.logs) end(staging)
      await writer.close()
    }
    for (const node of [a, b, c]) {
      const { file, length } = (await node.open().openFile(staging))!
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, 0)
      await file.close()
      expect(buffer.toString().match(/of the \w+/g)).toEqual(['of the first', 'of the second'])
    }
  })

  it('is in a backup, and keeps all its lines, where this node begins to go on with it meanwhile', async () => {
    const { newNode, end } = fleet()
    const first = await newNode().logs.write(staging)
    await first.message('one', 'two')
    await first.close()
    const here = newNode()
    const [copy, next] = await Promise.all([here.logs.openFile(staging), here.logs.write(staging, 2)])
    await next.message('three')
    end(staging)
    await next.close()
    expect(parsePiece(await collect(contentOf(copy!))).lines.map(({ seq }) => seq)).toEqual([1, 2])
    await copy!.file.close()
    expect(await textsOf(newNode().logs)).toEqual(['1 one', '2 two', '3 three'])
    expect(await readdir(dirname(here.file(staging)))).toEqual([basename(here.file(staging))])
  })

  it('is copied for a backup without a file of it at this node', async () => {
    const { newNode } = fleet()
    const writer = await newNode().logs.write(staging)
    await writer.message('one')
    await writer.share()
    const here = newNode()
    const copy = (await here.logs.openFile(staging))!
    expect(parsePiece(await collect(contentOf(copy)))).toMatchObject({ lines: [{ seq: 1 }], end: copy.length })
    await copy.file.close()
    expect(await readdir(dirname(here.file(staging)))).toEqual([])
    await writer.close()
  })

  it('is that of the node that goes on, whatever another one has or writes', async () => {
    const { newNode } = fleet()
    const [a, b] = [newNode(), newNode()]
    const cutOff = await a.logs.write(staging)
    await cutOff.message('one')
    await cutOff.share()
    const taken = await b.logs.write(staging, 2)
    await cutOff.message('two of a node without a lease')
    await taken.message('two')
    await Promise.all([cutOff.close(), taken.close()])
    expect(await textsOf(newNode().logs)).toEqual(['1 one', '2 two'])
    const back = await a.logs.write(staging, 3)
    await back.message('three')
    await back.close()
    expect(await textsOf(newNode().logs)).toEqual(['1 one', '2 two', '3 three'])
    expect(await readFile(a.file(staging), 'utf8')).not.toContain('without a lease')
  })

  it('keeps what the next node has written when a request of the last one arrives late', async () => {
    const { newNode, end, hold } = fleet()
    const [a, b] = [newNode(), newNode()]
    const held = hold()
    const stands = await a.logs.write(staging)
    await stands.message('of a node that stands still before its first launch')
    void stands.share()
    await held.isThere
    const taken = await b.logs.write(staging, 2)
    await taken.message('one')
    await taken.share()
    await held.arrives()
    expect(await textsOf(newNode().logs)).toEqual(['1 one'])
    end(staging)
    await taken.close()
    expect(await textsOf(newNode().logs)).toEqual(['1 one'])
    await stands.close()
  })

  it('is whole although a node that went on with it died before it wrote', async () => {
    const { newNode, end } = fleet()
    const writer = await newNode().logs.write(staging)
    await writer.message('one')
    await writer.close()
    const dead = await newNode().logs.write(staging, 2)
    onTestFinished(() => dead.close())
    const next = await newNode().logs.write(staging, 3)
    await next.message('two')
    end(staging)
    await next.close()
    expect(await textsOf(newNode().logs)).toEqual(['1 one', '2 two'])
  })

  it('has writers with numbers of any length, in their order', async () => {
    const { newNode, end } = fleet()
    for (const number of [499_999, 500_000, 5_000_000]) {
      const writer = await newNode().logs.write(staging, number)
      await writer.message(`by ${number}`)
      if (number === 5_000_000) end(staging)
      await writer.close()
    }
    expect(await textsOf(newNode().logs)).toEqual(['1 by 499999', '2 by 500000', '3 by 5000000'])
  })

  it('is not taken for its own by a node that has ended it after another node could take it', async () => {
    const { newNode, end } = fleet({ aloneMs: 0 })
    const [a, b] = [newNode(), newNode()]
    const late = await a.logs.write(staging)
    await late.message('of a node without a lease')
    const taken = await b.logs.write(staging, 2)
    await taken.message('one')
    end(staging)
    await taken.close()
    await late.close()
    expect(await textsOf(a.logs)).toEqual(['1 one'])
  })

  it('is there for all nodes when one of them has restored it, in place of what there was', async () => {
    const { newNode, end } = fleet()
    const [a, b] = [newNode(), newNode()]
    const before = await b.logs.write(staging, 7)
    await before.message('before', 'the restore')
    await before.close()
    const restored = join(directory.path, randomUUID())
    const time = new Date().toISOString()
    await writeFile(restored, formatLine({ seq: 1, time, stream: 'staging', text: 'of the backup' }))
    await a.logs.take(staging, restored, false)
    expect(await textsOf(b.logs)).toEqual(['1 of the backup'])
    const next = await b.logs.write(staging, 1 + 1)
    await next.message('goes on')
    end(staging)
    await next.close()
    expect(await textsOf(newNode().logs)).toEqual(['1 of the backup', '2 goes on'])
  })

  it('is followed to the lines of who waited to write it when its staging had ended', async () => {
    const { newNode, end } = fleet({ pollMs: 400 })
    const [a, b] = [newNode(), newNode()]
    const first = await a.logs.write(staging)
    await first.message('one')
    const followers = [a, b].map(({ logs }) => followed(logs))
    for (const { texts } of followers) await expect.poll(() => texts).toEqual(['one'])
    end(staging)
    const waiting = a.logs.write(staging, 2)
    await first.message('two')
    await first.close()
    // Who begins to follow now, too.
    followers.push(followed(newNode().logs))
    const second = await waiting
    for (const { texts } of followers) await expect.poll(() => texts).toEqual(['one', 'two'])
    await second.message('Staging was cancelled.')
    await second.close()
    for (const { over, texts } of followers) {
      await over
      expect(texts).toEqual(['one', 'two', 'Staging was cancelled.'])
    }
  })

  it('is followed to the lines of who goes on with it after it was complete', async () => {
    const { newNode, end } = fleet({ pollMs: 400 })
    const [a, b] = [newNode(), newNode()]
    const first = await a.logs.write(staging)
    await first.message('one')
    end(staging)
    await first.close()
    const second = await a.logs.write(staging, 2)
    const followers = [a, b].map(({ logs }) => followed(logs))
    for (const { texts } of followers) await expect.poll(() => texts).toEqual(['one'])
    await second.message('two')
    await second.close()
    for (const { over, texts } of followers) {
      await over
      expect(texts).toEqual(['one', 'two'])
    }
  })

  it('does not make a verdict or the end of a staging wait for a store that hangs', async () => {
    const hangs = () => new Promise<never>(() => undefined)
    const objects = { put: hangs, upload: hangs, get: hangs, list: () => bucket.list(''), remove: hangs }
    const shared = new SharedLogs(objects, logger, { waitMs: 50 })
    onTestFinished(() => shared.stop())
    const logs = new LogStore(join(directory.path, randomUUID()), () => Promise.resolve(true), { shared })
    const writer = await logs.write(staging)
    await writer.message('one')
    await writer.share()
    await writer.close()
    expect(await textsOf(logs)).toEqual(['1 one'])
  })

  it('is written when the store is back, and the staging does not wait for that', async () => {
    const { newNode, end, away } = fleet()
    const writer = await newNode().logs.write(staging)
    away(true)
    await writer.message('one')
    await writer.share()
    end(staging)
    await writer.close()
    away(false)
    await expect.poll(() => textsOf(newNode().logs)).toEqual(['1 one'])
  })

  it('ends for its followers although the node that wrote it died before its end', async () => {
    const { newNode, end } = fleet()
    const writer = await newNode().logs.write(staging)
    await writer.message('one')
    await writer.close()
    const { texts, over } = followed(newNode().logs)
    await expect.poll(() => texts).toEqual(['one'])
    end(staging)
    await over
  })
})
