/** Programs differ in which of the two they read first. */
const NAMES = ['no_proxy', 'NO_PROXY'] as const

/**
 * Returns `environment` with `address` among the addresses that programs reach without a proxy: without that, a proxy in
 * the environment of a stager would get the requests to the coordinator.
 *
 * Both variables are set. Where only one of them is given, the other gets its value.
 */
export function reachDirectly(
  environment: Readonly<Record<string, string>>,
  address: string,
): Readonly<Record<string, string>> {
  const given = environment.no_proxy ?? environment.NO_PROXY ?? ''
  const added = NAMES.map((name) => [name, withAddress(environment[name] ?? given, address)] as const)
  return { ...environment, ...Object.fromEntries(added) }
}

/** Programs separate the list at commas, and some of them at white space as well. */
function withAddress(list: string, address: string): string {
  // An asterisk alone means every address. As an element of a list, most programs do not know it.
  if (list.trim() === '*' || list.split(/[\s,]+/).includes(address)) return list
  const before = list.replace(/[\s,]+$/, '')
  return before === '' ? address : `${before},${address}`
}
