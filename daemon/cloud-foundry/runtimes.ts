import { NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Catalogue } from '../packages/catalogue.js'
import { choosableRuntimes } from '../packages/choosable-runtimes.js'
import type { Capability } from '../packages/metadata.js'
import type { RuntimeAlias } from './plug-in-table.js'
import type { RuntimeWish } from './staging-request.js'

export interface ChosenRuntime {
  readonly capability: Capability
  /** That of the alias. */
  readonly pipeline: string | undefined
  /** Whether it is the version that was asked for, and not one that serves in its place. */
  readonly isExact: boolean
  /** What the log is to say of it. */
  readonly line: string | undefined
}

/** Names of runtimes that the packages of a namespace can depend on, without `runtime.`. */
export function runtimesThere({ index, rulesOf }: Catalogue, namespace: string): readonly string[] {
  const rules = rulesOf({ namespace, name: 'application' }, 'staging')
  return choosableRuntimes({ subject: namespace, dependencies: [], index, rules })
}

/**
 * The runtime that serves what a request asks for: the version itself where it is there, or else what its alias names.
 *
 * Throws `NotFound` (`no-runtime`), which names those that are there.
 *
 * @param there names of runtimes, without `runtime.`
 */
export function chooseRuntime(
  { name, version }: RuntimeWish,
  aliases: ReadonlyMap<string, RuntimeAlias>,
  there: readonly string[],
): ChosenRuntime {
  const alias = aliases.get(name)
  const asked = `${quote(name)}${version === undefined ? '' : ` (${quote(version)})`}`
  if (alias && alias.capability.type !== 'runtime') return { ...alias, isExact: true, line: undefined }
  for (const exact of exactNames(name, version, alias))
    if (there.includes(exact)) {
      const pipeline = alias?.pipeline ?? pipelineOf(exact, aliases)
      return { capability: { type: 'runtime', name: exact }, pipeline, isExact: true, line: undefined }
    }
  if (alias && there.includes(alias.capability.name)) {
    const isIt = version === undefined && alias.capability.name === name
    const line = isIt ? undefined : `The runtime ${asked} is not there: using runtime.${alias.capability.name}`
    return { ...alias, isExact: false, line }
  }
  if (version === undefined && there.includes(name))
    return {
      capability: { type: 'runtime', name },
      pipeline: pipelineOf(name, aliases),
      isExact: false,
      line: undefined,
    }
  const shown = withoutPrefixes(there)
  throw new NotFound(
    'no-runtime',
    `The runtime ${asked} is not there: ${shown.length === 0 ? 'there is none; make one with `stagectl bootstrap`' : `there are ${shown.join(', ')}`}.`,
  )
}

/** Names of the version that is asked for, the most exact first; `node20` stands for node-20. */
function exactNames(name: string, version: string | undefined, alias: RuntimeAlias | undefined): readonly string[] {
  const stem = alias?.capability.name
  const numbers =
    version === undefined ? [] : (/^v?(\d+(?:\.\d+)*)/.exec(version)?.[1] ?? '').split('.').filter(Boolean)
  const [, ownStem, ownVersion] = VERSIONED.exec(name) ?? []
  const stems = [stem, ownStem ?? name].filter((one) => one !== undefined)
  const versions = numbers.map((_, index) => numbers.slice(0, numbers.length - index).join('.'))
  // A release of another series is another version: 1.8 is not served by any 1.
  const kept = versions.filter(
    (one) => one === versions[0] || one.includes('.') || stems.some((of) => isOfOneNumber(of)),
  )
  const own = alias || ownVersion === undefined ? [] : [`${ownStem}-${ownVersion}`]
  return [...stems.flatMap((of) => kept.map((one) => `${of}-${one}`)), ...own]
}

/** Whether versions with the same first number are compatible. */
function isOfOneNumber(stem: string): boolean {
  return stem === 'node' || stem === 'java'
}

/** That of applications that name only a runtime, such as `ruby19` or `node-20`. */
export function pipelineOfRuntime(name: string, aliases: ReadonlyMap<string, RuntimeAlias>): string | undefined {
  const [, stem = name] = VERSIONED.exec(name) ?? []
  return aliases.get(name)?.pipeline ?? pipelineOf(stem, aliases)
}

/** `node20`, and `node-20`. */
const VERSIONED = /^(.*?)-?(\d+(?:\.\d+)*)$/

function pipelineOf(runtime: string, aliases: ReadonlyMap<string, RuntimeAlias>): string | undefined {
  for (const { capability, pipeline } of aliases.values())
    if (runtime === capability.name || runtime.startsWith(`${capability.name}-`)) return pipeline
  return undefined
}

const MOST_SHOWN = 20

/** `node-24.1.0`, and not `node`, `node-24` and `node-24.1` too. */
function withoutPrefixes(names: readonly string[]): readonly string[] {
  const most = names.filter(
    (name) => !names.some((other) => other.startsWith(`${name}.`) || other.startsWith(`${name}-`)),
  )
  return most.length > MOST_SHOWN ? [...most.slice(0, MOST_SHOWN), 'others'] : most
}
