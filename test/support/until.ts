import { setTimeout as delay } from 'node:timers/promises'
import { patience } from './lost-time.js'

/** Throws after 20 seconds. */
export async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + patience(20_000)
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`timed out before ${what}`)
    await delay(5)
  }
}
