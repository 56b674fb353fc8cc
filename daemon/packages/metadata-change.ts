import { BadInput, TooLarge } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { plainPath } from '../../isolation/path-rules.js'
import { formatCapability } from './capability.js'
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

/** The lists and the map that the limits count. */
const COUNTED = ['environment', 'provides', 'dependencies', 'templates'] as const

/**
 * Returns `metadata` after `change`; does not modify its argument.
 *
 * LAWS
 * - Idempotent: to add what exists or remove what does not exist changes nothing and is not an error.
 * - An addition of a new entry followed by its removal restores the metadata.
 * - Order is kept: new entries come last, and a variable with a new value keeps its position.
 *
 * A removal does not validate its argument, so that invalid entries from other sources can be removed. Metadata that
 * already exceeds a limit can still be reduced or left unchanged.
 *
 * Throws `BadInput` for an invalid addition, `TooLarge` (`metadata-too-large`) beyond `METADATA_LIMITS`.
 */
export function applyChange(metadata: PackageMetadata, change: MetadataChange): PackageMetadata {
  return applyChanges(metadata, [change])
}

/** The same for several changes, in their order. The limits hold for the result. */
export function applyChanges(metadata: PackageMetadata, changes: readonly MetadataChange[]): PackageMetadata {
  const draft = new Draft(metadata)
  for (const change of changes) draft.apply(change)
  const after = draft.metadata()
  assertWithinLimits(metadata, after)
  return after
}

/** Metadata that is being changed. What no change touches stays the same object. */
class Draft {
  #environment: Map<string, string> | undefined
  #capabilities: { provides?: Map<string, Capability>; dependencies?: Map<string, Capability> } = {}
  #templates: Map<string, Template> | undefined

  constructor(private readonly before: PackageMetadata) {}

  apply(change: MetadataChange): void {
    switch (change.resource) {
      case 'environment': {
        const environment = (this.#environment ??= new Map(Object.entries(this.before.environment)))
        if (change.action === 'remove') environment.delete(change.key)
        else {
          assertVariable(change.key, change.value)
          environment.set(change.key, change.value)
        }
        return
      }
      case 'provides':
      case 'dependencies': {
        const { resource, action, capability } = change
        if (action === 'add') assertCapability(capability)
        const capabilities = (this.#capabilities[resource] ??= byKey(this.before[resource], formatCapability))
        combine(capabilities, formatCapability(capability), capability, action)
        return
      }
      case 'templates': {
        const { action } = change
        const template = action === 'add' ? canonicalTemplate(change.template) : change.template
        const templates = (this.#templates ??= byKey(this.before.templates, keyOfTemplate))
        combine(templates, keyOfTemplate(template), template, action)
      }
    }
  }

  metadata(): PackageMetadata {
    const { provides, dependencies } = this.#capabilities
    return {
      ...this.before,
      // `fromEntries` instead of assignment: to assign to the key __proto__ would set the prototype.
      ...(this.#environment ? { environment: Object.fromEntries(this.#environment) } : {}),
      ...(provides ? { provides: [...provides.values()] } : {}),
      ...(dependencies ? { dependencies: [...dependencies.values()] } : {}),
      ...(this.#templates ? { templates: [...this.#templates.values()] } : {}),
    }
  }
}

function assertVariable(key: string, value: string): void {
  assertEnvironmentKey(key)
  assertEnvironmentValue(key, value)
  if (/\p{Surrogate}/u.test(value))
    throw new BadInput('bad-environment-value', `The value of ${quote(key)} is not Unicode: send it as UTF-8.`)
}

function byKey<T>(list: readonly T[], keyOf: (item: T) => string): Map<string, T> {
  return new Map(list.map((item) => [keyOf(item), item]))
}

function combine<T>(items: Map<string, T>, key: string, item: T, action: 'add' | 'remove'): void {
  if (action === 'remove') items.delete(key)
  else if (!items.has(key)) items.set(key, item)
}

/** The same path with other delimiters is a different template; with and without a slash before it, it is the same path. */
function keyOfTemplate({ path, left_delimiter: left, right_delimiter: right }: Template): string {
  return [plainPath(path), left, right].join('\0')
}

function assertWithinLimits(before: PackageMetadata, after: PackageMetadata): void {
  for (const resource of COUNTED) {
    const count = countOf(after, resource)
    const limit = METADATA_LIMITS[resource]
    if (count > limit && count > countOf(before, resource))
      throw new TooLarge(
        'metadata-too-large',
        `A package must not have more than ${limit} entries in ${resource}: remove some first.`,
      )
  }
  const bytes = bytesOf(after)
  if (bytes > METADATA_LIMITS.bytes && bytes > bytesOf(before))
    throw new TooLarge(
      'metadata-too-large',
      'The metadata of a package must not be larger than 1 MiB: remove some of it first.',
    )
}

function countOf(metadata: PackageMetadata, resource: (typeof COUNTED)[number]): number {
  return Object.keys(metadata[resource]).length
}

function bytesOf(metadata: PackageMetadata): number {
  return Buffer.byteLength(JSON.stringify(metadata))
}
