/** Options under the names that they have in other clients of this kind of platform. The help does not show them. */
const ALIASES: Readonly<Record<string, string>> = {
  '-ae': '--allow-egress',
  '--start-cmd': '--start-command',
}

/** Replaces the aliases in `argv`, up to `--`. */
export function expandAliases(argv: readonly string[]): string[] {
  const end = argv.indexOf('--')
  return argv.map((argument, index) => (end >= 0 && index > end ? argument : expand(argument)))
}

function expand(argument: string): string {
  const [name = '', ...value] = argument.split('=')
  const option = Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined
  return option === undefined ? argument : [option, ...value].join('=')
}
