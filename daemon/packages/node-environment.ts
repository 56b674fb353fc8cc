import { mergeEnvironments } from './environment.js'

type Environment = Readonly<Record<string, string>>

/** What a node gives to the programs in its containers. The variables of packages, stagers and runs override it. */
export interface NodeEnvironment {
  readonly always: Environment
  /** Only where the container has egress: the proxies. */
  readonly withEgress: Environment
}

/** The environment of every program in a container, before anything else is merged into it. */
const BASE_ENVIRONMENT: Environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  // Else programs run in the POSIX locale, in which they refuse or garble every byte beyond ASCII.
  LANG: 'C.UTF-8',
}

/**
 * The environment of a program, of a launch and of a run alike.
 *
 * It is sorted by name, so that the order says nothing about how it came together: the same environment gives the same
 * bytes to a stager that prints it.
 *
 * @param layers lowest first: see `mergeEnvironments`
 */
export function containerEnvironment(
  node: NodeEnvironment,
  { egress }: { readonly egress: boolean },
  ...layers: readonly Environment[]
): Environment {
  const proxies = egress ? withoutOverriddenTwins(node.withEgress, layers) : {}
  const merged = mergeEnvironments(BASE_ENVIRONMENT, node.always, proxies, ...layers)
  return Object.fromEntries(Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * Programs differ in which of http_proxy and HTTP_PROXY they read first. So a layer that sets one of the two overrides
 * both.
 */
function withoutOverriddenTwins(variables: Environment, layers: readonly Environment[]): Environment {
  const isSet = (name: string) => layers.some((layer) => Object.hasOwn(layer, name))
  return Object.fromEntries(Object.entries(variables).filter(([name]) => isSet(name) || !isSet(twinOf(name))))
}

function twinOf(name: string): string {
  const upper = name.toUpperCase()
  return name === upper ? name.toLowerCase() : upper
}
