import { describe, expect, it } from 'vitest'
import { BadInput } from '../../base/errors.js'
import { absolutePath } from '../../daemon/packages/build-script/script-paths.js'
import { startPathOf } from '../../daemon/packages/environment.js'
import { canonicalTemplate } from '../../daemon/packages/validate.js'
import { normalisePath } from '../../isolation/archive/names.js'
import { decodeRemovalPath } from '../../isolation/removal-path.js'
import { SnapshotScope } from '../../isolation/snapshot/snapshot-scope.js'

/** Whoever gives a path, and what is understood, from the root without a slash. */
const PLACES: Readonly<Record<string, (path: string) => string>> = {
  'an entry of an archive': (path) => normalisePath(path, 'Entry'),
  'a removal': (path) => decodeRemovalPath({ kind: 'removed', path }),
  'the directory of a snapshot': (path) => SnapshotScope.of(path).directory,
  'a template': (path) => canonicalTemplate({ path, left_delimiter: '{{', right_delimiter: '}}' }).path,
  'a path of a build script': (path) => absolutePath(path).slice(1),
}

describe.each(Object.entries(PLACES))('the path of %s', (_place, understood) => {
  it.each(['opt/app', '/opt/app', './opt/app', '//opt/app', '/opt//app', '/opt/./app'])('%j is opt/app', (path) => {
    expect(understood(path)).toBe('opt/app')
  })

  it.each(['', '..', '/../etc', 'opt/../../etc', 'opt/..', '.wh.x', '/opt/.wh.x', `/${'n'.repeat(256)}`])(
    '%j is refused with a reason',
    (path) => {
      expect(() => understood(path)).toThrow(BadInput)
      expect(() => understood(path)).toThrow(/: .+\.$/)
    },
  )
})

it('START_PATH is from the root, with or without the slash', () => {
  expect(['app', '/app', './app/', ''].map((START_PATH) => startPathOf({ START_PATH }))).toEqual([
    '/app',
    '/app',
    '/app',
    undefined,
  ])
})

it('an excluded path of a snapshot can be given without the slash', () => {
  const scope = SnapshotScope.of(undefined, ['tmp'])
  expect([scope.placeOf('tmp/x'), scope.placeOf('tmpx')]).toEqual(['outside', 'within'])
})
