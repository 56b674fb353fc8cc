import { expect, it } from 'vitest'
import { Conflict, Fault, NotFound, Unavailable } from '../../../base/errors.js'
import { withoutPlaces } from '../../../daemon/api/without-places.js'

const SECRET = '10.0.0.5:7301, 00000000-0000-4000-8000-000000000000'

it.each([
  new NotFound('node-not-found', SECRET),
  new Conflict('node-ambiguous', SECRET),
  new Conflict('node-not-connected', SECRET),
  new Conflict('misdirected', SECRET),
  new Unavailable('node-unreachable', SECRET),
  new Unavailable('connection-lost', SECRET),
])('$code says nothing of where nodes are', (error) => {
  const told = withoutPlaces(error)
  expect(told).toMatchObject({ code: error.code, kind: error.kind, cause: error })
  expect(told.message).not.toContain('10.0.0.5')
})

it('other errors are told as they are', () => {
  for (const error of [new Fault('database-failed', 'It failed.'), new Error('x')])
    expect(withoutPlaces(error)).toBe(error)
})
