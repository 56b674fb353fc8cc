import { appendFileSync, readFileSync } from 'node:fs'
import { afterAll } from 'vitest'

/**
 * A setup file of vitest, which is run before each test file. Where `STAGERD_TEST_TIMES` names a file, it gets a line for
 * each test file: seconds of a processor, of this process and of all that it has started and waited for, seconds of the clock,
 * and the name. What dockerd does for a test is in neither. A worker runs one file after the other, so nothing else is counted.
 */
const file = process.env['STAGERD_TEST_TIMES']

/** The unit of times in /proc, which is the same on all of Linux. */
const TICKS_PER_SECOND = 100

/** utime, stime, cutime and cstime: proc(5). The name before them may have spaces. */
function secondsOfProcessor(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND
}

if (file !== undefined) {
  const began = { processor: secondsOfProcessor(), clock: performance.now() }
  afterAll(({}, test) => {
    const processor = secondsOfProcessor() - began.processor
    const clock = (performance.now() - began.clock) / 1000
    appendFileSync(file, `${processor.toFixed(2)} ${clock.toFixed(1)} ${test.file.name}\n`)
  })
}
