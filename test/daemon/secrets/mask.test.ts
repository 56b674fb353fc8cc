import { randomBytes, randomInt } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Mask, SHORTEST_LINE_BYTES } from '../../../daemon/secrets/mask.js'

const maskOf = (...secrets: string[]) => Mask.of(secrets.map((secret) => Buffer.from(secret)))!

/** What comes out of a stream for these chunks, piece by piece. */
function streamed(mask: Mask, ...chunks: string[]): string[] {
  const stream = mask.stream()
  return [...chunks.map((chunk) => stream.push(Buffer.from(chunk)).toString()), stream.end().toString()]
}

describe('what is printed', () => {
  it('has *** in the place of each secret', () => {
    expect(maskOf('s3cret', 'other one').text('a s3cret, s3crets3cret and other one.')).toBe('a ***, ****** and ***.')
  })

  it('is unchanged where no secret is', () => {
    expect(maskOf('s3cret').text('s3cre t s3 cret ünïcode \u{1f511} s3cre')).toBe(
      's3cre t s3 cret ünïcode \u{1f511} s3cre',
    )
    expect(Mask.of([])).toBeUndefined()
  })

  it('has the longest of two secrets that begin alike hidden', () => {
    expect(maskOf('token', 'token-longer').text('token token-longer token-long')).toBe('*** *** ***-long')
  })

  it('has a secret hidden that comes in several chunks, at any border', () => {
    const text = 'before s3cret after'
    for (let border = 0; border <= text.length; border++)
      expect(streamed(maskOf('s3cret'), text.slice(0, border), text.slice(border)).join('')).toBe('before *** after')
    expect(streamed(maskOf('s3cret'), ...text.match(/./g)!).join('')).toBe('before *** after')
  })

  it('waits only for what may be the beginning of a secret', () => {
    expect(streamed(maskOf('s3cret'), 'what? ', 's3', 'x', 's')).toEqual(['what? ', '', 's3x', '', 's'])
  })

  it('has any cut of any bytes hidden, as if it came at once', () => {
    const secret = randomBytes(40)
    const mask = Mask.of([secret])!
    const whole = Buffer.concat([randomBytes(100), secret, secret.subarray(0, 20), secret, randomBytes(100)])
    const expected = mask.apply(whole, true).output
    expect(expected.includes(secret)).toBe(false)
    for (let turn = 0; turn < 200; turn++) {
      const stream = mask.stream()
      const pieces: Buffer[] = []
      for (let at = 0; at < whole.length;) {
        const next = at + randomInt(1, 50)
        pieces.push(Buffer.from(stream.push(whole.subarray(at, next))))
        at = next
      }
      expect(Buffer.concat([...pieces, stream.end()]).equals(expected)).toBe(true)
    }
  })
})

describe('a secret of several lines', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nshort\n9w0BAQEFAASC\n-----END KEY-----\n'

  it('is hidden as a whole', () => {
    expect(maskOf(key).text(`<${key}>`)).toBe('<***\n>')
  })

  it(`has each line hidden that has at least ${SHORTEST_LINE_BYTES} bytes`, () => {
    expect(maskOf(key).text('  9w0BAQEFAASC\n  MIIEvQIBADANBgkqhkiG\r\n  short\n')).toBe('  ***\n  ***\r\n  short\n')
  })

  it('has its line breaks at the end not counted', () => {
    expect(maskOf('s3cret\r\n').text('s3cret')).toBe('***')
  })
})

describe('a secret in the form that tools print', () => {
  it('is hidden percent-encoded', () => {
    expect(maskOf('p@ss/w:rd').text('https://me:p%40ss%2Fw%3Ard@host')).toBe('https://me:***@host')
  })

  it.each(['', 'a', 'me', 'me:'])(
    'is hidden in base64 behind %j, but for what it shares with its neighbours',
    (before) => {
      const encoded = Buffer.from(`${before}s3cret-value; more`).toString('base64')
      const shown = maskOf('s3cret-value').text(`Basic ${encoded}`)
      expect(shown).toMatch(/^Basic [\w+/]{0,4}\*\*\*[\w+/=]+$/)
      expect(Buffer.from(shown.slice(6), 'base64').toString('latin1')).not.toContain('s3cret')
    },
  )
})

it('is quick for a long output and many secrets', () => {
  const mask = Mask.of(Array.from({ length: 32 }, () => Buffer.from(randomBytes(48).toString('base64'))))!
  const line = Buffer.from(`${randomBytes(60).toString('base64')}\n`.repeat(800))
  const stream = mask.stream()
  const startedAt = process.cpuUsage()
  let bytes = 0
  for (let turn = 0; turn < 100; turn++) bytes += stream.push(line).length
  const { user } = process.cpuUsage(startedAt)
  expect(bytes + stream.end().length).toBe(100 * line.length)
  // 6.5 MB: a log of 64 MiB must not need a minute.
  expect(user / 1000).toBeLessThan(2_000)
})
