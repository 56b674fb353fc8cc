import { BadInput, TooLarge } from '../../base/errors.js'
import { sameCapability } from './capability.js'
import type { Capability, PackageMetadata, Template } from './metadata.js'
import { assertCapability, assertEnvironmentKey, assertEnvironmentValue, assertTemplate } from './validate.js'

/** One thing that a stager alters in the metadata of the package it has in hand. */
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
 * How much metadata a package may gather through changes. Far above what anybody needs, and low enough that metadata
 * can be copied, stored and shown whole without a second thought.
 */
export const METADATA_LIMITS = {
  environment: 1024,
  provides: 512,
  dependencies: 512,
  templates: 1024,
  /** Of the whole, as JSON in UTF-8. */
  bytes: 1024 * 1024,
} as const

/**
 * `metadata` after `change`; the argument stays as it is.
 *
 * LAWS
 * - Twice is once: adding what is there, or removing what is not, changes nothing and is no error.
 * - Removing what an add brought in gives back what was before it, unless it was there already.
 * - Order is kept: what is new comes last, and a variable that gets a new value stays at its place.
 *
 * A removal asks only whether something is the same, not whether it is valid, so that what got in by another door
 * can be got out through this one.
 *
 * Throws `BadInput` for an addition that is not valid, `TooLarge` (`metadata-too-large`) beyond `METADATA_LIMITS`.
 */
export function applyChange(metadata: PackageMetadata, change: MetadataChange): PackageMetadata {
  switch (change.resource) {
    case 'environment': {
      const environment =
        change.action === 'add'
          ? setting(metadata.environment, change.key, change.value)
          : unsetting(metadata.environment, change.key)
      return withinLimits(metadata, { ...metadata, environment }, change)
    }
    case 'provides':
    case 'dependencies': {
      if (change.action === 'add') assertCapability(change.capability)
      const capabilities = combine(metadata[change.resource], change.capability, change.action, sameCapability)
      return withinLimits(metadata, { ...metadata, [change.resource]: capabilities }, change)
    }
    case 'templates': {
      if (change.action === 'add') assertTemplate(change.template)
      const templates = combine(metadata.templates, change.template, change.action, sameTemplate)
      return withinLimits(metadata, { ...metadata, templates }, change)
    }
  }
}

type Environment = PackageMetadata['environment']

// Entries and `fromEntries`, never assignment: assigning to the key __proto__ would set a prototype.
function setting(environment: Environment, key: string, value: string): Environment {
  assertEnvironmentKey(key)
  assertEnvironmentValue(key, value)
  if (/\p{Surrogate}/u.test(value))
    throw new BadInput('bad-environment-value', `The value of ${key} is not Unicode: send it as UTF-8.`)
  const entries = new Map(Object.entries(environment))
  return entries.get(key) === value ? environment : Object.fromEntries(entries.set(key, value))
}

function unsetting(environment: Environment, key: string): Environment {
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

/** The same file with other delimiters is another template. */
function sameTemplate(a: Template, b: Template): boolean {
  return a.path === b.path && a.left_delimiter === b.left_delimiter && a.right_delimiter === b.right_delimiter
}

function withinLimits(before: PackageMetadata, after: PackageMetadata, change: MetadataChange): PackageMetadata {
  const { resource, action } = change
  // What is over a limit by another door can still be made smaller, or left as it is.
  if (action === 'remove' || after[resource] === before[resource]) return after
  const limit = METADATA_LIMITS[resource]
  if (Object.keys(after[resource]).length > limit)
    throw new TooLarge(
      'metadata-too-large',
      `A package has at most ${limit} entries in ${resource}: remove some first.`,
    )
  if (Buffer.byteLength(JSON.stringify(after)) > METADATA_LIMITS.bytes)
    throw new TooLarge('metadata-too-large', 'The metadata of a package has at most 1 MiB: remove some of it first.')
  return after
}
