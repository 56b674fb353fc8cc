import { lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { StagerdError } from '../../../base/errors.js'
import { unpackArchive } from '../../../isolation/archive/unpack.js'
import { at, describeTree } from '../../support/trees.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { allArchives } from '../archives/all-archives.js'
import { Canary } from '../support/canary.js'

let place: string
let tree: string
let canary: Canary
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'stagerd-test-'))
  tree = join(place, 'tree')
  mkdirSync(tree)
  canary = new Canary(place, ['tree'])
})
afterEach(() => rmSync(place, { recursive: true, force: true }))

it.each(allArchives())('unpacking leaves all but its directory as it is: $what', async (hostile) => {
  const unpacked: unknown = await unpackArchive(Readable.from([hostile.archive]), {
    directory: tree,
    limits: TEST_LIMITS,
    signal: new AbortController().signal,
  }).then(
    () => 'it was unpacked',
    (error: unknown) => error,
  )
  canary.check(hostile.what)
  if ('code' in hostile && hostile.unpacks !== true) {
    expect(unpacked).toBeInstanceOf(StagerdError)
    expect(unpacked).toMatchObject({ code: hostile.code })
  } else if (!('code' in hostile)) {
    expect(unpacked).toBe('it was unpacked')
    expect(shortTree()).toEqual(hostile.becomes)
  }
})

/** In the words of `AcceptedArchive.becomes`. */
function shortTree(): Record<string, string> {
  return Object.fromEntries(
    Object.keys(describeTree(tree)).map((path) => {
      const place = at(tree, path)
      const stats = lstatSync(place)
      if (stats.isDirectory()) return [path, 'directory']
      if (stats.isSymbolicLink()) return [path, `link ${readlinkSync(place, { encoding: 'latin1' })}`]
      return [path, stats.size > 100 ? `file of ${stats.size}` : `file ${readFileSync(place, 'latin1')}`]
    }),
  )
}
