import { BadInput, TooLarge } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { plainPath } from '../../isolation/path-rules.js'
import { sameCapability } from './capability.js'
import type { Capability, PackageMetadata, Template } from './metadata.js'
import { assertCapability, assertEnvironmentKey, assertEnvironmentValue, canonicalTemplate } from './validate.js'

/** A single change of package metadata, as stagers request it with `PUT /meta`. */
export type MetadataChange =
  | { readonly resource: 'environment'; readonly action: 'add'; readonly key: string; readonly value: string }
  | { readonly resource: 'environment'; readonly action: 'remove'; readonly key: string }
  | {
      readonly resource: 'provides' | 'dependencies'
      readonly action: 'add' | 'remove'
      readonly capability: Capability
    }
  | { readonly resource: 'templates'; readonly action: 'add' | 'remove'; readonly template: Template }

/**
 * Limits of the metadata of a package. They are far above practical needs, and low enough that metadata can always be
 * copied, stored and displayed as a whole.
 */
export const METADATA_LIMITS = {
  environment: 1024,
  provides: 512,
  dependencies: 512,
  templates: 1024,
  /** Of all metadata, as JSON in UTF-8. */
  bytes: 1024 * 1024,
} as const

/**
 * Returns `metadata` after `change`; does not modify its argument.
 *
 * LAWS
 * - Idempotent: to add what exists or remove what does not exist changes nothing and is not an error.
 * - An addition of a new entry followed by its removal restores the metadata.
 * - Order is kept: new entries come last, and a variable with a new value keeps its position.
 *
 * A removal does not validate its argument, so that invalid entries from other sources can be removed.
 *
 * Throws `BadInput` for an invalid addition, `TooLarge` (`metadata-too-large`) beyond `METADATA_LIMITS`.
 */
export function applyChange(metadata: PackageMetadata, change: MetadataChange): PackageMetadata {
  switch (change.resource) {
    case 'environment': {
      const environment =
        change.action === 'add'
          ? setVariable(metadata.environment, change.key, change.value)
          : unsetVariable(metadata.environment, change.key)
      return withinLimits(metadata, { ...metadata, environment }, change)
    }
    case 'provides':
    case 'dependencies': {
      if (change.action === 'add') assertCapability(change.capability)
      const capabilities = combine(metadata[change.resource], change.capability, change.action, sameCapability)
      return withinLimits(metadata, { ...metadata, [change.resource]: capabilities }, change)
    }
    case 'templates': {
      const template = change.action === 'add' ? canonicalTemplate(change.template) : change.template
      const templates = combine(metadata.templates, template, change.action, sameTemplate)
      return withinLimits(metadata, { ...metadata, templates }, change)
    }
  }
}

type Environment = PackageMetadata['environment']

// `fromEntries` instead of assignment: to assign to the key __proto__ would set the prototype.
function setVariable(environment: Environment, key: string, value: string): Environment {
  assertEnvironmentKey(key)
  assertEnvironmentValue(key, value)
  if (/\p{Surrogate}/u.test(value))
    throw new BadInput('bad-environment-value', `The value of ${quote(key)} is not Unicode: send it as UTF-8.`)
  const entries = new Map(Object.entries(environment))
  return entries.get(key) === value ? environment : Object.fromEntries(entries.set(key, value))
}

function unsetVariable(environment: Environment, key: string): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([other]) => other !== key))
}

function combine<T>(
  list: readonly T[],
  item: T,
  action: 'add' | 'remove',
  same: (a: T, b: T) => boolean,
): readonly T[] {
  if (action === 'remove') return list.filter((other) => !same(other, item))
  return list.some((other) => same(other, item)) ? list : [...list, item]
}

/** The same path with other delimiters is a different template; with and without a slash before it, it is the same path. */
function sameTemplate(a: Template, b: Template): boolean {
  return (
    plainPath(a.path) === plainPath(b.path) &&
    a.left_delimiter === b.left_delimiter &&
    a.right_delimiter === b.right_delimiter
  )
}

function withinLimits(before: PackageMetadata, after: PackageMetadata, change: MetadataChange): PackageMetadata {
  const { resource, action } = change
  // Metadata that already exceeds a limit can still be reduced or left unchanged.
  if (action === 'remove' || after[resource] === before[resource]) return after
  const limit = METADATA_LIMITS[resource]
  if (Object.keys(after[resource]).length > limit)
    throw new TooLarge(
      'metadata-too-large',
      `A package must not have more than ${limit} entries in ${resource}: remove some first.`,
    )
  if (Buffer.byteLength(JSON.stringify(after)) > METADATA_LIMITS.bytes)
    throw new TooLarge(
      'metadata-too-large',
      'The metadata of a package must not be larger than 1 MiB: remove some of it first.',
    )
  return after
}
