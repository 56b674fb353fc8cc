import { setTimeout as delay } from 'node:timers/promises'
import { patience } from './lost-time.js'

/** Throws after that many milliseconds, or earlier in a file whose failed tests have waited for too long. */
export async function until(what: string, condition: () => Promise<boolean> | boolean, ms = 20_000): Promise<void> {
  const deadline = Date.now() + patience(ms)
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`timed out before ${what}`)
    await delay(5)
  }
}
