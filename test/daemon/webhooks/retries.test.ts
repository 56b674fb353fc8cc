import { describe, expect, it, test } from 'vitest'
import { DELIVERY_LIMITS, delayAfter, parseRetryAfter } from '../../../daemon/webhooks/retries.js'
import { assertWebhookSecret, makeWebhookSecret, signedHeaders } from '../../../daemon/webhooks/signature.js'

const exactly = () => 0

describe('the attempts of a delivery', () => {
  it('wait longer each time, and end before the delivery is too old', () => {
    const delays = DELIVERY_LIMITS.delaysMs.map((_, index) => delayAfter(index + 1, DELIVERY_LIMITS, 0, () => 1) ?? 0)
    expect(delays).toEqual([...delays].sort((one, other) => one - other))
    expect(delays.reduce((sum, one) => sum + one, 0)).toBeLessThan(DELIVERY_LIMITS.ageMs)
    expect(delayAfter(delays.length + 1, DELIVERY_LIMITS)).toBeUndefined()
  })

  it('wait as long as the receiver asks for, within limits', () => {
    expect(delayAfter(1, DELIVERY_LIMITS, 20_000, exactly)).toBe(20_000)
    expect(delayAfter(1, DELIVERY_LIMITS, 1, exactly)).toBe(5_000)
    expect(delayAfter(1, DELIVERY_LIMITS, 99_000_000, exactly)).toBe(3_600_000)
  })
})

test.each([
  ['120', 120_000],
  ['Tue, 01 Dec 2026 00:01:00 GMT', 60_000],
  ['Mon, 30 Nov 2026 00:00:00 GMT', 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After: %s', (header, expected) => {
  expect(parseRetryAfter(header, new Date('2026-12-01T00:00:00Z'))).toBe(expected)
})

test('a message is signed as the example of the Standard Webhooks specification', () => {
  expect(
    signedHeaders('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      body: '{"test": 2432232314}',
      time: new Date(1614265330_000),
    }),
  ).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

describe('the secret of a webhook', () => {
  it('is new each time', () => {
    const made = makeWebhookSecret()
    expect(() => assertWebhookSecret(made)).not.toThrow()
    expect(makeWebhookSecret()).not.toBe(made)
  })

  it.each(['', 'hunter2', 'whsec_', 'whsec_c2hvcnQ=', `whsec_${'A'.repeat(100)}`, `whsec_${'!'.repeat(40)}`])(
    'cannot be %j, which the refusal does not repeat',
    (secret) => {
      expect(() => assertWebhookSecret(secret)).toThrow(
        'The secret of a webhook is whsec_ and 24 to 64 bytes in base64: give one of this form, or none to have one made.',
      )
    },
  )
})
