import { expect, it } from 'vitest'
import { lose, patience, whyGivenUp } from './lost-time.js'

const HERE = import.meta.filename

it('the rest of a file is given up when its failed tests have taken too long, and nothing of it waits for long from then on', () => {
  lose(HERE, 149_000)
  expect(whyGivenUp(HERE)).toBeUndefined()
  expect(patience(90_000)).toBe(90_000)

  lose(HERE, 1_000)
  expect(whyGivenUp(HERE)).toBe('Not run: the failed tests of this file have taken 150 s.')
  expect([patience(90_000), patience(1_000)]).toEqual([5_000, 1_000])
  expect(whyGivenUp(`${HERE} of another file`)).toBeUndefined()
})
