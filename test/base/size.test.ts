import { describe, expect, it } from 'vitest'
import { parseSize } from '../../base/size.js'

describe('a size', () => {
  it.each([
    ['268435456', 2 ** 28],
    ['0', 0],
    ['100b', 100],
    ['2G', 2 ** 31],
    ['256MB', 2 ** 28],
    ['256 MiB', 2 ** 28],
    ['1.5gb', 1.5 * 2 ** 30],
    ['1k', 1024],
    ['3TB', 3 * 2 ** 40],
    [' 10m ', 10 * 2 ** 20],
  ])('%j is %i bytes: a unit is a power of 1024, however it is written', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', 'MB', '-1MB', '12 apples', '2GX', '2 G B', '1.5', '1.5B', '1e3', '0x10', '2iB', '1,5G', '9999999999T'])(
    '%j is none: what is not understood is not taken for bytes',
    (text) => expect(parseSize(text)).toBeUndefined(),
  )
})
