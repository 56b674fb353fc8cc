/**
 * Do each of `works` `turns` times, in turn, in an order that changes with each turn; and once before, which does not
 * count: the first of anything is slower.
 *
 * @returns what each has returned, turn by turn
 */
export async function inTurn<Name extends string>(
  turns: number,
  works: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(works) as Name[]
  const results = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (const name of names) await works[name]()
  for (let turn = 0; turn < turns; turn++) {
    const first = turn % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) results[name].push(await works[name]())
  }
  return results
}
