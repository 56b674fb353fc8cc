import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { execa } from 'execa'
import { beforeEach, describe, expect, it } from 'vitest'
import { DirectoryBlobStore } from '../../daemon/store/directory-blob-store.js'
import { scratch } from '../support/small-trees.js'
import { Canary } from './support/canary.js'
import { Figures } from './support/promises.js'
import { checkKept, NothingMore } from './support/stored.js'

const ROOT = path.resolve(import.meta.dirname, '../..')

let place: string
let file: string
let figures: Figures
beforeEach(async () => {
  place = await scratch()
  file = path.join(await scratch(), 'figures')
  await writeFile(file, '')
  figures = new Figures(file)
})

/** What `./scripts/test` prints at its end. */
async function reported(script = '', options = ''): Promise<{ lines: string[]; exitCode: number | undefined }> {
  const setUp = `set -euo pipefail; source "$root/scripts/lib/checks.sh"; keep_figures ${options}; cat "$planted" >>"$figures"`
  const { stdout, exitCode } = await execa('bash', ['--norc', '-c', `${setUp}\npassed=7\n${script}\nsummary`], {
    env: { root: ROOT, planted: file, TMPDIR: place },
    reject: false,
  })
  return { lines: stdout.split('\n'), exitCode }
}

const lastLines = async () => (await reported()).lines.slice(-4)

describe('a breach that is planted turns its figure to one, and fails the run', () => {
  it('an escape: a file beside the target that has changed', async () => {
    await mkdir(path.join(place, 'tree'))
    const canary = new Canary(place, ['tree'], figures)
    await writeFile(path.join(place, 'tree', 'inside'), 'allowed')
    canary.check('an honest archive')
    expect(await lastLines()).toEqual(['escapes 0 of 1', 'lost 0 of 0', 'left 0 of 0', '7 passed, 0 failed'])

    await writeFile(path.join(place, 'canary', 'etc', 'passwd'), 'root::0:0:evil\n')
    expect(() => canary.check('a planted archive')).toThrow(/^escape: a planted archive: canary\/etc\/passwd/)
    expect(await lastLines()).toEqual(['escapes 1 of 2', 'lost 0 of 0', 'left 0 of 0', '7 passed, 1 failed'])
    expect((await reported()).lines).toContainEqual(
      expect.stringMatching(/^failed: escape a planted archive: canary\/etc\/passwd/),
    )
  })

  it.each([
    ['a file that is new', async (at: string) => writeFile(path.join(at, 'canary', 'new'), '')],
    ['a file that is gone', async (at: string) => rm(path.join(at, 'canary', 'hook'))],
    ['a file beside the canary', async (at: string) => writeFile(path.join(at, 'escaped'), '')],
    ['a file with a name of JavaScript', async (at: string) => writeFile(path.join(at, '__proto__'), '')],
  ])('an escape: %s', async (_what, plant) => {
    const canary = new Canary(place, [], figures)
    await plant(place)
    expect(() => canary.check('a planted archive')).toThrow('escape')
    expect(await lastLines()).toContain('escapes 1 of 1')
  })

  it.each([
    ['that is gone', async (blob: string) => rm(blob)],
    ['that is shorter', async (blob: string) => writeFile(blob, 'acknow')],
    ['of which a bit is another', async (blob: string) => writeFile(blob, 'acknowledgee')],
  ])('a loss: an acknowledged blob %s', async (_what, plant) => {
    const blobs = await DirectoryBlobStore.open(place)
    const { sha256 } = await blobs.write(Readable.from([Buffer.from('acknowledged')]))
    await checkKept('an upload', blobs, sha256, figures)
    expect(await lastLines()).toContain('lost 0 of 1')

    const names = await readdir(place, { recursive: true })
    const blob = path.join(place, names.find((name) => name.endsWith(sha256.slice(2))) ?? '')
    await chmod(blob, 0o600)
    await plant(blob)
    await expect(checkKept('an upload', blobs, sha256, figures)).rejects.toThrow(/^loss: an upload/)
    expect(await lastLines()).toEqual(['escapes 0 of 0', 'lost 1 of 2', 'left 0 of 0', '7 passed, 1 failed'])
  })

  it('a leftover: a temporary file', async () => {
    const nothingMore = await NothingMore.than([place], figures)
    await nothingMore.check('a refusal')
    await writeFile(path.join(place, 'temporary'), '')
    await expect(nothingMore.check('a planted refusal')).rejects.toThrow(/^leftover: a planted refusal: .*temporary$/)
    expect(await lastLines()).toEqual(['escapes 0 of 0', 'lost 0 of 0', 'left 1 of 2', '7 passed, 1 failed'])
  })

  it('a leftover: what ./scripts/test finds on the host', async () => {
    const { lines, exitCode } = await reported(`record_promise leftover 'this checkout' $'container a\\nnetwork b'`)
    expect(lines).toContain('failed: leftover this checkout: container a; network b')
    expect(lines).toContain('left 1 of 1')
    expect(exitCode).toBe(1)
  })
})

describe('the report', () => {
  it('counts what was checked, in whichever order, and succeeds', async () => {
    for (let n = 0; n < 3; n++) figures.check('leftover', 'a staging', [])
    figures.check('escape', 'a stager', [])
    figures.check('loss', 'a blob', [])
    const { lines, exitCode } = await reported('', 'all')
    expect(lines.slice(-4)).toEqual(['escapes 0 of 1', 'lost 0 of 1', 'left 0 of 3', '7 passed, 0 failed'])
    expect(exitCode).toBe(0)
  })

  it('fails when a promise was never checked in a whole run', async () => {
    figures.check('escape', 'a stager', [])
    figures.check('leftover', 'a stager', [])
    const { lines, exitCode } = await reported('', 'all')
    expect(lines).toContain('failed: no check of the promise: loss')
    expect(lines.at(-1)).toBe('7 passed, 1 failed')
    expect(exitCode).toBe(1)
  })

  it('takes a breach with line breaks for one', async () => {
    expect(() => figures.check('escape', 'a\nstager', ['one\nescape held', 'two'])).toThrow()
    expect(await lastLines()).toContain('escapes 1 of 1')
  })

  it('leaves no file', async () => {
    await reported('trap stop_checks EXIT')
    expect((await execa('ls', [place])).stdout).toBe('')
  })
})
