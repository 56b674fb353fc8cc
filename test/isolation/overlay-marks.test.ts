import { expect, test } from 'vitest'
import { parseDump } from '../../isolation/snapshot/overlay-marks.js'

test('a dump of getfattr, odd names included', () => {
  const dump = [
    '# file: opt/a b\\012\\134',
    'trusted.overlay.opaque="y"',
    '',
    '# file: moved',
    'trusted.overlay.redirect="/old\\040place"',
    '',
    '',
  ].join('\n')
  expect(parseDump(dump)).toEqual(
    new Map([
      ['opt/a b\n\\', new Map([['opaque', 'y']])],
      ['moved', new Map([['redirect', '/old place']])],
    ]),
  )
})

test('nothing to tell is nothing told', () => {
  expect(parseDump('')).toEqual(new Map())
})
