import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BadInput, Fault, NotFound, TooLarge } from '../../base/errors.js'
import type { BlobStore } from '../../daemon/store/blob-store.js'

export interface BlobStoreUnderTest {
  readonly store: BlobStore
  /** Whether `trustedFile` is ever there. Default: yes. */
  readonly hasFiles?: boolean
  /** Whether it verifies a blob before it opens it: then damage is told by `open`, and each blob has a trusted file. */
  readonly verifiesFirst?: boolean
  /** Flips one bit of the stored content without the store's knowledge. */
  flipBit(sha256: string, at: number): Promise<void>
  /** All files in the store other than blobs. */
  leftovers(): Promise<readonly string[]>
  /** The store as a new process opens it. */
  reopen(): Promise<BlobStore>
  close(): Promise<void>
}

type StoredBlob = { readonly sha256: string; readonly length: number; readonly modifiedAt: Date }

const sha256Of = (content: Buffer) => createHash('sha256').update(content).digest('hex')
const sha1Of = (content: Buffer) => createHash('sha1').update(content).digest('hex')
/** In chunks of uneven length, as from a network. */
const piecesOf = (content: Buffer, size = 60_001) =>
  Readable.from(
    Array.from({ length: Math.ceil(content.length / size) }, (_, i) => content.subarray(i * size, (i + 1) * size)),
    { objectMode: false },
  )

/** The contract of daemon/store/blob-store.ts, for every implementation. */
export function describeBlobStore(name: string, make: () => Promise<BlobStoreUnderTest>): void {
  describe(name, () => {
    let under: BlobStoreUnderTest
    beforeEach(async () => {
      under = await make()
    })
    afterEach(async () => {
      await under.close()
    })
    const listed = async () => {
      const found: StoredBlob[] = []
      for await (const blob of under.store.list()) found.push(blob)
      return found
    }
    const read = async (sha256: string) => await buffer((await under.store.open(sha256)).stream)
    const blobs = async () => (await listed()).map((blob) => blob.sha256).sort()

    it.each([0, 1, 65_536, 1_048_576, 5_000_003])('returns %d bytes as they were written', async (length) => {
      const content = randomBytes(length)
      const blob = await under.store.write(piecesOf(content))
      expect(blob).toMatchObject({ sha256: sha256Of(content), sha1: undefined, length })
      const opened = await under.store.open(blob.sha256)
      expect(opened.length).toBe(length)
      expect((await buffer(opened.stream)).equals(content)).toBe(true)
    })

    it('renews the modification time of a blob that is touched', async () => {
      const { sha256 } = await under.store.write(Readable.from(['wanted']))
      const before = (await listed())[0]!.modifiedAt
      const touched = async () => {
        expect(await under.store.touch(sha256)).toEqual({ length: 6 })
        return (await listed())[0]!.modifiedAt.getTime()
      }
      await expect.poll(touched).toBeGreaterThan(before.getTime())
      expect(await under.store.touch('0'.repeat(64))).toBeUndefined()
      expect(await under.store.touch('../../etc/passwd')).toBeUndefined()
    })

    it('does not report a blob that was found to be damaged, until it is written again', async () => {
      const content = randomBytes(100)
      const { sha256 } = await under.store.write(piecesOf(content))
      await under.flipBit(sha256, 50)
      await expect(read(sha256)).rejects.toBeInstanceOf(Fault)
      expect(await under.store.touch(sha256)).toBeUndefined()
      await under.store.write(piecesOf(content))
      expect(await under.store.touch(sha256)).toEqual({ length: 100 })
    })

    it('deletes a blob conditionally, and never one that is touched at the same time', async () => {
      const { sha256 } = await under.store.write(Readable.from(['old']))
      expect(await under.store.deleteIf(sha256, () => false)).toBe(false)
      const began = new Date(Date.now() + 1)
      const isOld = (modifiedAt: Date) => modifiedAt < began
      await expect.poll(() => Date.now()).toBeGreaterThan(began.getTime())
      const [touched, deleted] = await Promise.all([under.store.touch(sha256), under.store.deleteIf(sha256, isOld)])
      expect({ touched, deleted }).toEqual({ touched: { length: 3 }, deleted: false })
      expect(await under.store.deleteIf(sha256, () => true)).toBe(true)
      expect(await under.store.deleteIf(sha256, () => true)).toBe(false)
      expect(await blobs()).toEqual([])
    })

    it('keeps acknowledged blobs across a restart', async () => {
      const { sha256 } = await under.store.write(Readable.from(['kept']))
      const next = await under.reopen()
      expect(await next.has(sha256)).toBe(true)
      expect(String(await buffer((await next.open(sha256)).stream))).toBe('kept')
    })

    it('computes SHA-1 on request, and accepts matching expected digests', async () => {
      const content = Buffer.from('both digests')
      expect((await under.store.write(piecesOf(content), { wantSha1: true })).sha1).toBe(sha1Of(content))
      const expected = { sha256: sha256Of(content), sha1: sha1Of(content).toUpperCase(), length: content.length }
      expect(await under.store.write(piecesOf(content), { expected })).toMatchObject({ sha1: sha1Of(content) })
    })

    it('stores other content in place of what was written, and nothing else', async () => {
      const expected = { sha256: sha256Of(Buffer.from('as sent')), length: 7 }
      const seen: string[] = []
      const blob = await under.store.write(Readable.from(['as sent']), {
        expected,
        instead: async (content) => {
          seen.push(String(await buffer(content())))
          return Readable.from(['as kept'])
        },
      })
      expect(seen).toEqual(['as sent'])
      expect(blob).toMatchObject({ sha256: sha256Of(Buffer.from('as kept')), sha1: undefined, length: 7 })
      expect(await blobs()).toEqual([blob.sha256])
      expect(await under.leftovers()).toEqual([])
    })

    it('stores what was written if nothing is to be stored in its place', async () => {
      const instead = () => Promise.resolve(undefined)
      const { sha256 } = await under.store.write(Readable.from(['as sent']), { instead })
      expect(String(await buffer((await under.store.open(sha256)).stream))).toBe('as sent')
    })

    it('stores the same content once, even if it is written several times at once', async () => {
      const content = randomBytes(300_000)
      await Promise.all(Array.from({ length: 8 }, () => under.store.write(piecesOf(content))))
      await under.store.write(piecesOf(content))
      expect(await blobs()).toEqual([sha256Of(content)])
      expect(await under.leftovers()).toEqual([])
    })

    it('tells what a write has replaced, and gives each writing and touching a time of its own', async () => {
      const write = () => under.store.write(Readable.from(['content']))
      const [first, second] = [await write(), await write()]
      expect(first.replaced).toBeUndefined()
      expect(second.replaced).toEqual(first.modifiedAt)
      expect(second.modifiedAt.getTime()).toBeGreaterThan(first.modifiedAt.getTime())
      await under.store.touch(second.sha256)
      const times: number[] = []
      await under.store.deleteIf(second.sha256, (modifiedAt) => {
        times.push(modifiedAt.getTime())
        return false
      })
      expect(times[0]).toBeGreaterThan(second.modifiedAt.getTime())
    })

    describe('leaves nothing behind when', () => {
      const content = randomBytes(3_000_000)
      afterEach(async () => {
        expect(await blobs()).toEqual([])
        expect(await under.leftovers()).toEqual([])
      })

      it('the SHA-256 differs from the expected one', async () => {
        const write = under.store.write(piecesOf(content), { expected: { sha256: sha256Of(Buffer.from('other')) } })
        await expect(write).rejects.toThrow(BadInput)
        await expect(write).rejects.toMatchObject({ code: 'digest-mismatch' })
      })
      it.each([
        ['cannot be made', () => Promise.reject(new Error('no such content'))],
        ['is too long', () => Promise.resolve(Readable.from([Buffer.alloc(3_000_001)], { objectMode: false }))],
        [
          'fails midway',
          () =>
            Promise.resolve(
              new Readable({
                read() {
                  this.push('begun')
                  this.destroy(new Error('no more content'))
                },
              }),
            ),
        ],
      ])('what is to be stored in its place %s', async (_what, instead) => {
        const write = under.store.write(piecesOf(content), { maxBytes: content.length, instead })
        await expect(write).rejects.toThrow(/content|longer/)
      })
      it('what was written is not read for what is to be stored in its place', async () => {
        const readers: Readable[] = []
        const instead = (written: () => Readable) => {
          readers.push(written())
          return Promise.reject(new Error('no such program'))
        }
        await expect(under.store.write(piecesOf(content), { instead })).rejects.toThrow('no such program')
        expect(readers.map(({ destroyed }) => destroyed)).toEqual([true])
      })
      it('the SHA-1 differs from the expected one', async () => {
        const write = under.store.write(piecesOf(content), { expected: { sha1: 'f'.repeat(40) } })
        await expect(write).rejects.toMatchObject({ code: 'digest-mismatch' })
      })
      it.each([content.length - 1, content.length + 1, 0])('%d bytes were expected', async (length) => {
        const write = under.store.write(piecesOf(content), { expected: { length } })
        await expect(write).rejects.toThrow(BadInput)
        await expect(write).rejects.toMatchObject({ code: 'length-mismatch' })
      })
      it('the body exceeds the limit, which ends the reading early', async () => {
        let read = 0
        const endless = Readable.from(
          (function* () {
            for (;;) {
              read += 100_000
              yield Buffer.alloc(100_000)
            }
          })(),
          { objectMode: false },
        )
        const write = under.store.write(endless, { maxBytes: 1_000_000 })
        await expect(write).rejects.toThrow(TooLarge)
        expect(read).toBeLessThan(3_000_000)
        expect(endless.destroyed).toBe(true)
      })
      it('the body fails midway', async () => {
        const body = Readable.from(
          (async function* () {
            yield content.subarray(0, 2_000_000)
            await Promise.reject(new Error('the cable was pulled'))
          })(),
          { objectMode: false },
        )
        await expect(under.store.write(body)).rejects.toThrow('the cable was pulled')
      })
      it('the body fails before it is read', async () => {
        const body = new Readable({ read: () => undefined })
        const write = under.store.write(body)
        body.destroy(new Error('gone at once'))
        await expect(write).rejects.toThrow('gone at once')
      })
      it('the body is destroyed without an error', async () => {
        const body = new Readable({ read: () => undefined })
        body.push(content)
        const write = under.store.write(body)
        setImmediate(() => body.destroy())
        await expect(write).rejects.toThrow()
      })
      it('the write is aborted', async () => {
        const abort = new AbortController()
        const body = new Readable({ read: () => undefined })
        body.push(content)
        const write = under.store.write(body, { signal: abort.signal })
        setImmediate(() => abort.abort(new Error('changed my mind')))
        await expect(write).rejects.toThrow('changed my mind')
        expect(body.destroyed).toBe(true)
      })
    })

    it.each([0, 1_500_000, 2_999_999])('detects a flipped bit at %d before it returns the last byte', async (at) => {
      const content = randomBytes(3_000_000)
      const { sha256 } = await under.store.write(piecesOf(content))
      await under.flipBit(sha256, at)
      let received = 0
      const reading = async () => {
        const { stream } = await under.store.open(sha256)
        stream.on('data', (chunk: Buffer) => (received += chunk.length))
        await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject))
      }
      await expect(reading()).rejects.toMatchObject({ kind: 'fault', code: 'blob-corrupt' })
      expect(received).toBeLessThan(content.length)
    })

    describe('the trusted file of a blob, if the store has one,', () => {
      const content = randomBytes(2_000_000)
      let sha256: string
      beforeEach(async () => {
        sha256 = (await under.store.write(piecesOf(content))).sha256
      })
      const trustedFile = async () => {
        const opened = await under.store.open(sha256)
        opened.stream.destroy()
        return opened.trustedFile
      }

      it('has the content, and is open until the stream is destroyed', async () => {
        const { stream, trustedFile } = await under.store.open(sha256)
        if (trustedFile) expect((await trustedFile.readFile()).equals(content)).toBe(true)
        const closed = new Promise((resolve) => stream.once('close', resolve))
        stream.destroy()
        await closed
        if (trustedFile) await expect(trustedFile.stat()).rejects.toThrow()
      })

      it('is not offered after a bit has flipped, and neither is the blob when that is known', async () => {
        await under.flipBit(sha256, 1_000_000)
        if (!under.verifiesFirst) expect(await trustedFile()).toBeUndefined()
        await expect(read(sha256)).rejects.toThrow(Fault)
        await expect(under.store.open(sha256)).rejects.toMatchObject({ code: 'blob-corrupt' })
      })

      it('is not offered after a restart until the content has been read to its end', async () => {
        under = { ...under, store: await under.reopen() }
        const { stream } = await under.store.open(sha256)
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          expect(chunk.length).toBeGreaterThan(0)
          break
        }
        expect((await trustedFile()) !== undefined).toBe(under.verifiesFirst ?? false)
      })
    })

    describe('verification', () => {
      const content = randomBytes(5_000_000)
      let sha256: string
      beforeEach(async () => {
        sha256 = (await under.store.write(piecesOf(content))).sha256
      })

      it('reads all bytes, and waits as it is told to', async () => {
        let bytes = 0
        const pace = async (more: number) => {
          bytes += more
          await Promise.resolve()
        }
        expect(await under.store.verify(sha256, { pace })).toBe('sound')
        expect(bytes).toBe(content.length)
      })

      it('makes a blob of an earlier process trusted', async () => {
        under = { ...under, store: await under.reopen() }
        expect(await under.store.verify(sha256)).toBe('sound')
        const { stream, trustedFile } = await under.store.open(sha256)
        stream.destroy()
        expect(trustedFile !== undefined).toBe(under.hasFiles ?? true)
      })

      it.each([0, 2_500_000, 4_999_999])('finds a bit that has flipped at %d, as often as it looks', async (at) => {
        await under.flipBit(sha256, at)
        expect(await under.store.verify(sha256)).toBe('damaged')
        expect(await under.store.verify(sha256)).toBe('damaged')
        await expect(under.store.open(sha256)).rejects.toMatchObject({ code: 'blob-corrupt' })
      })

      it('finds that the content is sound again', async () => {
        await under.flipBit(sha256, 5)
        expect(await under.store.verify(sha256)).toBe('damaged')
        await under.flipBit(sha256, 5)
        expect(await under.store.verify(sha256)).toBe('sound')
        expect((await buffer((await under.store.open(sha256)).stream)).equals(content)).toBe(true)
        expect(await under.store.touch(sha256)).toEqual({ length: content.length })
      })

      it('finds nothing of a blob that does not exist', async () => {
        expect(await under.store.verify('0'.repeat(64))).toBeUndefined()
        expect(await under.store.verify('../../etc/passwd')).toBeUndefined()
      })

      it('stops with the reason of its signal, and then says nothing of the content', async () => {
        await under.flipBit(sha256, 4_999_999)
        const stop = new AbortController()
        const pace = () => {
          stop.abort(new Error('enough'))
          return Promise.resolve()
        }
        await expect(under.store.verify(sha256, { pace, signal: stop.signal })).rejects.toThrow('enough')
        if (!under.verifiesFirst) (await under.store.open(sha256)).stream.destroy()
      })
    })

    it('is repaired by writing the content again', async () => {
      const { sha256 } = await under.store.write(Readable.from(['content']))
      await under.flipBit(sha256, 3)
      await under.store.write(Readable.from(['content']))
      expect(String(await buffer((await under.store.open(sha256)).stream))).toBe('content')
    })

    it('lets a reader finish a blob that is deleted during the read', async () => {
      const content = randomBytes(4_000_000)
      const { sha256 } = await under.store.write(piecesOf(content))
      const { stream } = await under.store.open(sha256)
      await under.store.delete(sha256)
      expect(await under.store.has(sha256)).toBe(false)
      expect((await buffer(stream)).equals(content)).toBe(true)
    })

    it('accepts the deletion of a blob that does not exist', async () => {
      await under.store.delete('0'.repeat(64))
      await under.store.delete('../../etc/passwd')
    })

    it.each(['0'.repeat(64), '', '../../etc/passwd', 'F'.repeat(64)])('has no blob %j', async (digest) => {
      expect(await under.store.has(digest)).toBe(false)
      await expect(under.store.open(digest)).rejects.toThrow(NotFound)
    })

    it('lists blobs with length and modification time', async () => {
      await under.store.write(Readable.from(['one']))
      await under.store.write(Readable.from(['three']))
      const blobs = await listed()
      expect(blobs.map((blob) => blob.length).sort()).toEqual([3, 5])
      for (const { modifiedAt } of blobs) expect(Math.abs(Date.now() - modifiedAt.getTime())).toBeLessThan(60_000)
    })

    it('closes the file of a stream that is destroyed before it is read', async () => {
      const { sha256 } = await under.store.write(Readable.from(['content']))
      for (let i = 0; i < 50; i += 1) {
        const { stream } = await under.store.open(sha256)
        const closed = new Promise((resolve) => stream.once('close', resolve))
        stream.destroy()
        await closed
      }
    })
  })
}
