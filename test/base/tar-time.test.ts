import { describe, expect, test } from 'vitest'
import { tarTime } from '../../base/tar-time.js'

const LARGEST_FIELD = 8 ** 11 - 1

describe('a modification time in a tar', () => {
  test.each([
    ['1970', 0n, { field: 0, record: undefined }],
    ['a whole second', 1_700_000_000_000_000_000n, { field: 1_700_000_000, record: undefined }],
    ['a fraction', 1_500_000_000n, { field: 1, record: '1.5' }],
    ['a nanosecond', 1_000_000_001n, { field: 1, record: '1.000000001' }],
    ['a second before 1970', -1_000_000_000n, { field: 0, record: '-1' }],
    ['half a second before 1970', -500_000_000n, { field: 0, record: '-0.5' }],
    ['a second and a half before 1970', -1_500_000_000n, { field: 0, record: '-1.5' }],
    ['the last second of the field, in 2242', 8_589_934_591_000_000_000n, { field: LARGEST_FIELD, record: undefined }],
    ['the second after it', 8_589_934_592_000_000_000n, { field: LARGEST_FIELD, record: '8589934592' }],
    [
      'the last second that the kernel can represent',
      9_223_372_036_854_775_807_000_000_000n,
      { field: LARGEST_FIELD, record: '9223372036854775807' },
    ],
  ])('%s', (_what, time, expected) => expect(tarTime(time)).toEqual(expected))
})
