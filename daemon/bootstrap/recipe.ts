import { INTERNAL_NAMESPACE, SHARED_NAMESPACE } from '../../base/fqn.js'
import type { BuildScript } from '../packages/build-script/build-script.js'
import type { Capability, PackageMetadata } from '../packages/metadata.js'
import type { CatalogueEntry } from './catalogue.js'

/** A file that ships with stagerd, in a tree of such files. */
export interface ShippedFile {
  /** Relative to the tree. */
  readonly path: string
  readonly executable: boolean
  readonly content: Buffer
}

/**
 * How one package, or one stager with its pipeline, is made.
 *
 * `host-tools`: programs of the host that the recipes of operating systems run. `system`: a tree that a program writes.
 * `script`: a build script. `stager`: a program with its settings.
 */
export type Recipe =
  | (RecipeBase & { readonly kind: 'host-tools'; readonly metadata: PackageMetadata })
  | (RecipeBase & {
      readonly kind: 'system'
      readonly files: readonly ShippedFile[]
      readonly library: readonly ShippedFile[]
      /** What the recipe reads of the host, such as a mirror: only when it is carried out. */
      readonly inputs: () => Promise<string>
      readonly metadata: PackageMetadata
    })
  | (RecipeBase & {
      readonly kind: 'script'
      readonly text: string
      readonly script: BuildScript
      readonly includes: readonly ShippedFile[]
    })
  | (RecipeBase & { readonly kind: 'stager'; readonly entry: CatalogueEntry; readonly files: readonly ShippedFile[] })

export type RecipeOf<Kind extends Recipe['kind']> = Extract<Recipe, { kind: Kind }>

interface RecipeBase {
  /** Of what it makes. */
  readonly fqn: string
  readonly namespace: string
  readonly name: string
}

/** A recipe with what decides when it is made. */
export interface Item {
  readonly recipe: Recipe
  /** FQNs of items that come before it. */
  readonly needs: readonly string[]
  /** Of everything that the result depends on. */
  readonly digest: string
}

/** All that ships with one stagerd. */
export interface Shipped {
  readonly recipes: readonly Recipe[]
}

/** Where a stager and its pipeline are made. */
export function namespaceOf({ internal }: Pick<CatalogueEntry, 'internal'>): string {
  return internal ? INTERNAL_NAMESPACE : SHARED_NAMESPACE
}

/** The stager, and the pipeline, that builds what a recipe makes; undefined where none is needed. */
export function builderOf(recipe: Recipe): { readonly namespace: string; readonly name: string } | undefined {
  switch (recipe.kind) {
    case 'system':
      return { namespace: INTERNAL_NAMESPACE, name: 'system' }
    case 'script':
      return { namespace: SHARED_NAMESPACE, name: 'compiler' }
    case 'host-tools':
    case 'stager':
      return undefined
  }
}

/** Provided by the programs of the host. No package of a user depends on it. */
export const HOST_TOOLS: Capability = { type: 'os', name: 'host-tools' }

/** The capabilities that must be there before the recipe is carried out, or before its result is of use. */
export function needsOf(recipe: Recipe): readonly Capability[] {
  switch (recipe.kind) {
    case 'host-tools':
      return []
    case 'system':
      return [HOST_TOOLS, ...recipe.metadata.dependencies]
    case 'script':
      return [...recipe.script.depends, ...recipe.script.buildDepends]
    case 'stager':
      return [...recipe.entry.dependencies, ...recipe.entry.runtimes]
  }
}

export function providesOf(recipe: Recipe): readonly Capability[] {
  switch (recipe.kind) {
    case 'host-tools':
    case 'system':
      return recipe.metadata.provides
    case 'script':
      return recipe.script.provides
    case 'stager':
      return []
  }
}
