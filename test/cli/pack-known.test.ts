import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { segmentsOf } from '../../base/segment-ends.js'
import { packKnownDirectory, type PackedDirectory } from '../../cli/pack/pack-directory.js'
import { NOTHING_KNOWN, SourceIndex } from '../../cli/pack/source-index.js'
import type { Flushed } from '../../cli/pack/segment-spool.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../isolation/archive/limits.js'
import { scanArchive } from '../../isolation/archive/scan.js'
import { makeWorkspace, writeTree } from './support/workspace.js'

let root: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ root, remove } = await makeWorkspace())
})
afterEach(() => remove())

/** A clock by which everything on the disk is old. */
const LATER = () => Date.now() + 3_600_000

interface Packed extends Pick<PackedDirectory, 'segments' | 'files' | 'groups'> {
  /** What was read and compressed. */
  readonly read: Buffer
  readonly sha256: string | undefined
}

async function pack(directory: string, known?: ReadonlyMap<string, Flushed>, clock = LATER): Promise<Packed> {
  const signal = new AbortController().signal
  const packed = await packKnownDirectory({
    directory,
    prefix: '',
    env: { TMPDIR: root },
    signal,
    clock,
    ...(known && { known }),
  })
  try {
    const read: Buffer[] = []
    for (const segment of packed.segments) if (segment.at !== undefined) read.push(await packed.readSegment(segment))
    const { segments, files, groups } = packed
    return { segments, files, groups, read: Buffer.concat(read), sha256: packed.tarball?.sha256 }
  } finally {
    await packed.dispose()
  }
}

const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** What a daemon does that has the archive from before. Undefined if it lacks a segment. */
function assembled(before: Buffer, { segments, read }: Packed): Buffer | undefined {
  const found = new Map([...segmentsOf(before), ...segmentsOf(read)].map((bytes) => [digestOf(bytes), bytes]))
  const parts = segments.map(({ sha256 }) => found.get(sha256))
  return parts.every((part) => part !== undefined) ? Buffer.concat(parts) : undefined
}

/** Numbers from 0 to 1 that a failure can be repeated with. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Waits until a change of a file gets another time than the last one: the kernel's clock is a few milliseconds coarse. */
async function nextTick(): Promise<void> {
  const probe = path.join(root, 'probe')
  writeFileSync(probe, '')
  const before = statSync(probe, { bigint: true }).ctimeNs
  while (statSync(probe, { bigint: true }).ctimeNs === before) {
    await new Promise(setImmediate)
    chmodSync(probe, 0o600)
  }
}

/** Random entries of all kinds, and random changes of them. Names can be any bytes. */
class RandomTree {
  readonly #next: () => number
  #made = 0

  constructor(
    readonly root: Buffer,
    seed: number,
  ) {
    this.#next = numbers(seed)
    mkdirSync(root, { recursive: true })
    for (let count = 0; count < 120; count++) this.#add()
  }

  change(): void {
    const changes = [
      this.#add,
      this.#write,
      this.#writeSameLength,
      this.#chmod,
      this.#touch,
      this.#rename,
      this.#retype,
      this.#remove,
    ]
    const count = 1 + this.#below(4)
    for (let done = 0; done < count; done++) (changes[this.#below(changes.length)] ?? this.#add).call(this)
  }

  #below(limit: number): number {
    return Math.floor(this.#next() * limit)
  }

  #entries(wanted: 'any' | 'file' | 'directory'): Buffer[] {
    const found: Buffer[] = []
    const walk = (directory: Buffer) => {
      for (const entry of readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })) {
        const place = Buffer.concat([directory, Buffer.from('/'), entry.name])
        if (wanted === 'any' || (wanted === 'file' ? entry.isFile() : entry.isDirectory())) found.push(place)
        if (entry.isDirectory()) walk(place)
      }
    }
    walk(this.root)
    return found
  }

  #one(wanted: 'any' | 'file' | 'directory'): Buffer | undefined {
    const found = this.#entries(wanted)
    return found[this.#below(found.length)]
  }

  #freshName(): Buffer {
    const parent = this.#next() < 0.3 ? this.root : (this.#one('directory') ?? this.root)
    const odd = [Buffer.from([0xe9, 0xff]), Buffer.from('ünï cödé'), Buffer.from('x'.repeat(180)), Buffer.from('\n')]
    const tail = this.#next() < 0.1 ? (odd[this.#below(odd.length)] ?? Buffer.alloc(0)) : Buffer.alloc(0)
    return Buffer.concat([parent, Buffer.from(`/${String.fromCharCode(97 + this.#below(26))}${this.#made++}`), tail])
  }

  #content(): Buffer {
    const length = this.#next() < 0.03 ? 1_200_000 + this.#below(1000) : Math.floor(20_000 * this.#next() ** 3)
    const isText = this.#next() < 0.7
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length; at++) bytes[at] = isText ? 97 + this.#below(4) : this.#below(256)
    return bytes
  }

  #add(): void {
    this.#make(this.#freshName())
  }

  #make(place: Buffer): void {
    const chance = this.#next()
    if (chance < 0.15) mkdirSync(place)
    else if (chance < 0.25) symlinkSync(`../target-${this.#below(9)}`, place)
    else this.#fill(place)
  }

  /** At whole seconds, which can be set again. */
  #fill(file: Buffer): void {
    writeFileSync(file, this.#content())
    utimesSync(file, 1_600_000_000, 1_600_000_000 + this.#below(1e8))
  }

  #write(): void {
    const file = this.#one('file')
    if (file) this.#fill(file)
  }

  /** The time is set back, so that only the change time shows it. */
  #writeSameLength(): void {
    const file = this.#one('file')
    if (!file) return
    const { size, atime, mtime } = statSync(file)
    if (size === 0) return
    const handle = openSync(file, 'r+')
    writeSync(handle, Buffer.from([this.#below(256)]), 0, 1, this.#below(size))
    closeSync(handle)
    utimesSync(file, atime, mtime)
  }

  #chmod(): void {
    const place = this.#one('file') ?? this.#one('directory')
    if (place) chmodSync(place, [0o644, 0o755, 0o600, 0o700][this.#below(4)] ?? 0o644)
  }

  #touch(): void {
    const place = this.#one('any')
    if (place) lutimesSync(place, 1_600_000_000, 1_600_000_000 + this.#next() * 1e8)
  }

  #rename(): void {
    const place = this.#one('any')
    const target = this.#freshName()
    if (place && !target.toString('latin1').startsWith(`${place.toString('latin1')}/`)) renameSync(place, target)
  }

  #retype(): void {
    const place = this.#one('any')
    if (!place) return
    rmSync(place, { recursive: true })
    this.#make(place)
  }

  #remove(): void {
    const place = this.#one('any')
    if (place) rmSync(place, { recursive: true })
  }
}

/** Each has some thirty changes, three or four of a kind. LAW_RUNS sets how many there are. */
const SEEDS = Array.from({ length: Number(process.env.LAW_RUNS ?? 2) }, (_, index) => index + 1)

describe('a source that was packed before', () => {
  test.each(SEEDS)(
    'gives the archive of a whole packing, whatever has changed meanwhile (seed %i)',
    async (seed) => {
      const app = path.join(root, 'app')
      const tree = new RandomTree(Buffer.from(app), seed)
      let before = await pack(app)
      let skipped = 0
      for (let round = 0; round < 12; round++) {
        await nextTick()
        tree.change()
        const again = await pack(app, before.groups)
        const whole = await pack(app)
        const archive = assembled(before.read, again)
        expect(archive?.equals(whole.read)).toBe(true)
        expect(whole.sha256).toBe(digestOf(whole.read))
        skipped += again.files.all - again.files.read
        before = whole
      }
      // Otherwise nothing was shown.
      expect(skipped).toBeGreaterThan(100)
      gunzipSync(before.read)
      const never = new AbortController().signal
      await scanArchive(Readable.from([before.read]), DEFAULT_ARCHIVE_LIMITS, never)
    },
    60_000,
  )

  test('of which nothing has changed is not read at all', async () => {
    const app = await writeTree(path.join(root, 'app'), { 'a/b': 'b', c: 'c', l: '-> c', empty: null })
    const before = await pack(app)
    const again = await pack(app, before.groups)
    expect(again.files).toEqual({ read: 0, all: 2 })
    expect(again.sha256).toBeUndefined()
    expect(assembled(before.read, again)?.equals(before.read)).toBe(true)
    // Only the header of gzip and its end are made anew: nothing is compressed.
    expect(again.segments.filter(({ at }) => at !== undefined)).toHaveLength(2)
  })

  test('is read again where it was changed so recently that its times may not show the next change', async () => {
    const app = await writeTree(path.join(root, 'app'), { a: 'one' })
    const before = await pack(app, undefined, Date.now)
    writeFileSync(path.join(app, 'a'), 'two')
    utimesSync(path.join(app, 'a'), 1_700_000_000, 1_700_000_000)
    expect((await pack(app, before.groups, Date.now)).files.read).toBe(1)
  })

  test('of many files is read near a change only', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 2000 }, (_, index) => [`d${index % 40}/f${index}`, 'x'.repeat(900)]),
    )
    const app = await writeTree(path.join(root, 'app'), files)
    const before = await pack(app)
    await nextTick()
    writeFileSync(path.join(app, 'd7/new'), 'new')
    const again = await pack(app, before.groups)
    expect(again.files.all).toBe(2001)
    expect(again.files.read).toBeLessThan(400)
    expect(assembled(before.read, again)?.equals((await pack(app)).read)).toBe(true)
  })
})

describe('the index of a source', () => {
  const known = {
    groups: new Map([['key', { segments: [{ sha256: 'ab', length: 1 }], crc: 1, length: 2 }]]),
    archive: { segments: 'cd', sha256: 'ef', length: 3 },
  }

  test('has what was written', async () => {
    const index = new SourceIndex(path.join(root, 'cache/uploads'), '/source')
    expect(index.read()).toEqual(NOTHING_KNOWN)
    await index.write(known)
    expect(index.read()).toEqual(known)
  })

  test('is ignored when it is damaged, cut short, or that of another source', async () => {
    const directory = path.join(root, 'cache')
    const index = new SourceIndex(directory, '/source')
    await index.write(known)
    const file = path.join(directory, readdirSync(directory)[0] ?? '')
    const whole = readFileSync(file, 'utf8')
    for (const content of [
      whole.replace('"ab"', '"ac"'),
      whole.slice(0, -1),
      '',
      'no index',
      whole.replace('/source', '/another'),
    ]) {
      writeFileSync(file, content)
      expect(index.read()).toEqual(NOTHING_KNOWN)
    }
  })

  test('that cannot be written stops nobody', async () => {
    writeFileSync(path.join(root, 'file'), '')
    const index = new SourceIndex(path.join(root, 'file', 'cache'), '/source')
    await index.write(known)
    expect(index.read()).toEqual(NOTHING_KNOWN)
  })

  test('makes room for that of others', async () => {
    const directory = path.join(root, 'cache')
    for (let count = 0; count < 103; count++) await new SourceIndex(directory, `/source-${count}`).write(known)
    expect(readdirSync(directory)).toHaveLength(100)
    expect(new SourceIndex(directory, '/source-102').read()).toEqual(known)
  })
})
