import { lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StagerdError } from '../../../base/errors.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { unpackArchive } from '../../../isolation/archive/unpack.js'
import { lawRun } from '../../support/law-run.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { tarOf, type TarMember } from '../../support/tar-builder.js'

const never = new AbortController().signal
const BLOCK = 512
let place: string

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'stagerd-test-'))
})

afterEach(() => rmSync(place, { recursive: true, force: true }))

/** Few names, so that members meet each other. */
const name = fc.constantFrom('a', 'b', 'c', 'a/b', 'a/b/c', './a', '/b', 'b/', 'c//d', 'c/./d', 'd'.repeat(90))
const target = fc.constantFrom('a', 'b', './a', '/b', 'c/d', '../a', '/etc/passwd', 'a/../b', 'nowhere', 'd'.repeat(90))
const data = fc.nat(1200).map((length) => 'x'.repeat(length % 3 === 0 ? length : length % 7))
const pax = fc.option(
  fc.record(
    {
      path: name,
      linkpath: target,
      size: fc.nat(600).map(String),
      mtime: fc.constantFrom('0', '-1', '1.5', '99999999999', '9223372036854775807'),
      'SCHILY.xattr.user.a%25b': fc.constantFrom('', 'value', 'v'.repeat(300)),
    },
    { requiredKeys: [] },
  ),
  { nil: {}, freq: 2 },
)
const plainMember = fc.record({
  name,
  type: fc.constantFrom('0', '0', '1', '2', '2', '5', '7', '\0'),
  linkName: target,
  data,
  pax,
})
const tidy = ({
  type,
  data,
  pax,
  ...rest
}: typeof plainMember extends fc.Arbitrary<infer T> ? T : never): TarMember => ({
  ...rest,
  type,
  data: /[07\0]/.test(type) ? data : '',
  // Mostly without a size, because mostly it would not be true.
  pax: Object.fromEntries(Object.entries(pax).filter(([key, value]) => key !== 'size' || Number(value) % 5 === 0)),
})

const segment = fc.tuple(fc.nat(4), fc.constantFrom(0, 1, 2, 1, 2, 3, 100))
const sparseMember = fc
  .record({
    name: fc.constantFrom('s', 'a', 'a/s'),
    format: fc.constantFrom('0.0', '0.1', '1.0'),
    segments: fc.array(segment, { minLength: 1, maxLength: 4 }),
    lastLength: fc.constantFrom(0, 0, 5, 512),
    lie: fc.constantFrom(0, 0, 0, 1, -1, 1000),
    missing: fc.constantFrom(0, 0, 0, 1, 512),
  })
  .map(({ name, format, segments, lastLength, lie, missing }): TarMember => {
    const map: number[] = []
    let end = 0
    for (const [gap, length] of segments) {
      const bytes = length === 100 ? 100 : length * BLOCK
      map.push(end + gap * BLOCK, bytes)
      end += gap * BLOCK + bytes
    }
    map.push(end, lastLength)
    end += lastLength
    const lengths = map.filter((_, index) => index % 2 === 1)
    const content = 'y'.repeat(Math.max(0, lengths.reduce((sum, length) => sum + length, 0) - missing))
    const size = String(end + lie)
    const count = String(map.length / 2)
    switch (format) {
      case '0.0':
        return {
          name,
          data: content,
          paxList: [
            ['GNU.sparse.size', size],
            ['GNU.sparse.numblocks', count],
            ...map.map((number, index): [string, string] => [
              index % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes',
              String(number),
            ]),
          ],
        }
      case '0.1':
        return {
          name: 'GNUSparseFile.1/s',
          data: content,
          pax: {
            'GNU.sparse.size': size,
            'GNU.sparse.numblocks': count,
            'GNU.sparse.name': name,
            'GNU.sparse.map': map.join(','),
          },
        }
      default: {
        const text = [count, ...map].map((number) => `${number}\n`).join('')
        return {
          name: 'GNUSparseFile.1/s',
          data: text.padEnd(Math.ceil(text.length / BLOCK) * BLOCK, '\0') + content,
          pax: {
            'GNU.sparse.major': '1',
            'GNU.sparse.minor': '0',
            'GNU.sparse.name': name,
            'GNU.sparse.realsize': size,
          },
        }
      }
    }
  })

const members = fc.array(
  fc.oneof({ weight: 5, arbitrary: plainMember.map(tidy) }, { weight: 1, arbitrary: sparseMember }),
  {
    minLength: 1,
    maxLength: 6,
  },
)

/** The code of the refusal, or undefined. */
async function refusalOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(StagerdError)
    return (error as StagerdError).code
  }
}

const plain = (raw: string) =>
  raw
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')

const nameOf = (member: TarMember) => member.pax?.['GNU.sparse.name'] ?? member.pax?.path ?? member.name

/** What the last member of each name says, of those that an archive cannot mean in another way. */
function expectLastMembers(tree: string, archive: readonly TarMember[]): void {
  const last = new Map(archive.map((member) => [plain(nameOf(member)), member]))
  const linked = new Set(
    archive.filter(({ type }) => type === '1').map(({ pax, linkName }) => plain(pax?.linkpath ?? linkName!)),
  )
  for (const [path, { type = '0', data = '', linkName, pax, paxList }] of last) {
    const found = join(tree, path)
    if (type === '2') expect(readlinkSync(found)).toBe(pax?.linkpath ?? linkName)
    else if (
      /[07\0]/.test(type) &&
      !nameOf({ name: path }).endsWith('/') &&
      lstatSync(found).isFile() &&
      !linked.has(path)
    ) {
      const size = pax?.['GNU.sparse.realsize'] ?? pax?.['GNU.sparse.size'] ?? paxList?.[0]?.[1]
      if (size === undefined) expect(readFileSync(found, 'latin1')).toBe(data)
      else expect(lstatSync(found).size).toBe(Number(size))
    }
  }
}

const { parameters, timeout } = lawRun({ runs: 150, msPerRun: 60 })

test(
  'what the scanner accepts can be unpacked, and is what the last entry of each name says',
  { timeout },
  async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(members, async (archive) => {
        const bytes = tarOf(...archive)
        const refusal = await refusalOf(scanArchive(Readable.from([bytes]), TEST_LIMITS, never))
        const tree = join(place, 'tree')
        rmSync(tree, { recursive: true, force: true })
        mkdirSync(tree)
        const unpacked = unpackArchive(Readable.from([bytes]), { directory: tree, limits: TEST_LIMITS, signal: never })
        expect(await refusalOf(unpacked)).toBe(refusal)
        if (refusal !== undefined) return
        accepted += 1
        expectLastMembers(tree, archive)
      }),
      parameters,
    )
    // A law about nothing would hold.
    expect(accepted).toBeGreaterThan(parameters.numRuns / 10 - 1)
  },
)
