import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { HOST_FAULTS } from './faults.js'

it.each(HOST_FAULTS)('$fault: there are tests that show that $must', ({ shownBy }) => {
  for (const [file, title] of shownBy)
    expect(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'), `${file} has no test "${title}"`).toContain(
      title,
    )
})
