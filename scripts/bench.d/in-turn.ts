import { execa } from 'execa'

/**
 * Do each of `works` `turns` times, in turn, in an order that changes with each turn; and once before, which does not
 * count: the first of anything is slower.
 *
 * Before each, everything is written to the disks. Otherwise an fsync would also wait for what the work before it left
 * behind: files that it wrote and did not sync, and, where the filesystem is mounted with `discard`, the blocks of
 * what it removed.
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
    return await works[name]()
  }
  for (const name of names) await work(name)
  for (let turn = 0; turn < turns; turn++) {
    const first = turn % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) results[name].push(await work(name))
  }
  return results
}
