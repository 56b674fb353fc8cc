import { setTimeout } from 'node:timers/promises'
import { execa } from 'execa'

/** Time for background work after a response, such as creating containers ahead and removing layers. */
const SETTLE_MS = 1_000

/** Rounds that do not count: the daemon still compiles its code, and caches are cold. */
const WARM_UP_ROUNDS = 3

/**
 * Runs each of `tasks` once per round, after some warm-up rounds. The order of the tasks alternates, so that no task
 * always follows the same other one.
 *
 * All disks are synced before each task. Otherwise an fsync would also wait for unsynced files of the task before it
 * and, where the filesystem is mounted with `discard`, for the trimming of the blocks that it has freed.
 *
 * @returns the results of each task, in the order of the rounds
 */
export async function interleave<Name extends string>(
  rounds: number,
  tasks: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(tasks) as Name[]
  const results = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  const run = async (name: Name) => {
    await execa('sync')
    await setTimeout(SETTLE_MS)
    return await tasks[name]()
  }
  for (let round = 0; round < WARM_UP_ROUNDS; round++) for (const name of names) await run(name)
  for (let round = 0; round < rounds; round++) {
    const first = Math.floor(round / 2) % names.length
    const order = [...names.slice(first), ...names.slice(0, first)]
    for (const name of round % 2 === 0 ? order : order.reverse()) results[name].push(await run(name))
  }
  return results
}
