import { setTimeout } from 'node:timers/promises'
import { execa } from 'execa'

/** For what goes on after the answer: containers that are thawed, layers that are removed. */
const REST_MS = 300

/** Until a daemon that has just been started has compiled what it does often; the first of anything is slower anyway. */
const WARM_UPS = 3

/**
 * Do each of `works` `turns` times, in turn, in an order that changes with each turn; and a few times before, which do
 * not count.
 *
 * Before each, everything is written to the disks. Otherwise an fsync would also wait for what the work before it left
 * behind: files that it wrote and did not sync, and, where the filesystem is mounted with `discard`, the blocks of
 * what it removed. Then the host rests, and every other turn is the other way round, so that nobody always comes after
 * the same other.
 *
 * @returns what each has returned, turn by turn
 */
export async function inTurn<Name extends string>(
  turns: number,
  works: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(works) as Name[]
  const results = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  const work = async (name: Name) => {
    await execa('sync')
    await setTimeout(REST_MS)
    return await works[name]()
  }
  for (let turn = 0; turn < WARM_UPS; turn++) for (const name of names) await work(name)
  for (let turn = 0; turn < turns; turn++) {
    const first = Math.floor(turn / 2) % names.length
    const order = [...names.slice(first), ...names.slice(0, first)]
    for (const name of turn % 2 === 0 ? order : order.reverse()) results[name].push(await work(name))
  }
  return results
}
