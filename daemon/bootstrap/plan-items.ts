import { createHash, type Hash } from 'node:crypto'
import { Fault, NotFound } from '../../base/errors.js'
import { formatFqn, quote } from '../../base/fqn.js'
import type { Capability } from '../packages/metadata.js'
import { formatCapability } from './parse-capability.js'
import { builderOf, needsOf, providesOf, type Item, type Recipe, type ShippedFile } from './recipe.js'

/**
 * The items that these pipelines need, each after those that it needs itself. Pure.
 *
 * Throws `NotFound` (`pipeline-not-shipped`), `Fault` (`bad-catalogue`) where a capability has no recipe, or recipes need
 * each other.
 *
 * @param pipelines names; empty for all that are not internal
 */
export function planItems(recipes: readonly Recipe[], pipelines: readonly string[]): readonly Item[] {
  const planner = new Planner(recipes)
  for (const recipe of chosen(recipes, pipelines)) planner.add(recipe)
  return planner.items
}

/** The names that a user can ask for. */
export function pipelineNames(recipes: readonly Recipe[]): readonly string[] {
  return recipes.flatMap((recipe) => (recipe.kind === 'stager' && !recipe.entry.internal ? [recipe.name] : []))
}

function chosen(recipes: readonly Recipe[], pipelines: readonly string[]): readonly Recipe[] {
  const known = pipelineNames(recipes)
  for (const name of pipelines)
    if (!known.includes(name))
      throw new NotFound(
        'pipeline-not-shipped',
        `No pipeline ${quote(name)} ships with stagerd: choose from ${known.join(', ')}.`,
      )
  const wanted = pipelines.length === 0 ? known : pipelines
  return recipes.filter((recipe) => recipe.kind === 'stager' && wanted.includes(recipe.name))
}

class Planner {
  readonly #recipes: readonly Recipe[]
  readonly #providers = new Map<string, Recipe>()
  readonly #items = new Map<string, Item>()
  readonly #open = new Set<string>()

  constructor(recipes: readonly Recipe[]) {
    this.#recipes = recipes
    // Of several, the first provides it.
    for (const recipe of recipes)
      for (const capability of providesOf(recipe).map(formatCapability))
        if (!this.#providers.has(capability)) this.#providers.set(capability, recipe)
  }

  get items(): readonly Item[] {
    return [...this.#items.values()]
  }

  add(recipe: Recipe): Item {
    const planned = this.#items.get(recipe.fqn)
    if (planned) return planned
    if (this.#open.has(recipe.fqn))
      throw new Fault('bad-catalogue', `${[...this.#open].join(', ')} need each other: correct their dependencies.`)
    this.#open.add(recipe.fqn)
    const needed = [
      ...needsOf(recipe).map((capability) => this.#providerOf(recipe, capability)),
      ...this.#builderOf(recipe),
    ].map((one) => this.add(one))
    this.#open.delete(recipe.fqn)
    const item = { recipe, needs: needed.map((one) => one.recipe.fqn), digest: digestOf(recipe, needed) }
    this.#items.set(recipe.fqn, item)
    return item
  }

  #providerOf(recipe: Recipe, capability: Capability): Recipe {
    const provider = this.#providers.get(formatCapability(capability))
    if (!provider)
      throw new Fault(
        'bad-catalogue',
        `${recipe.fqn} needs ${formatCapability(capability)}, which no recipe provides: correct its dependencies.`,
      )
    return provider
  }

  #builderOf(recipe: Recipe): readonly Recipe[] {
    const builder = builderOf(recipe)
    if (builder === undefined) return []
    const fqn = formatFqn('job', builder)
    return this.#recipes.filter((one) => one.fqn === fqn)
  }
}

/**
 * The result of a build depends on what it was built on. A stager runs on any version of what it depends on.
 *
 * What a recipe reads of the host is left out, so that two nodes with the same stagerd agree: what one has exported is
 * current on the other, and an update of a host rebuilds nothing.
 */
function digestOf(recipe: Recipe, needed: readonly Item[]): string {
  const hash = createHash('sha256')
  const text = (...parts: readonly string[]) => parts.forEach((part) => hash.update(`${part.length}:${part}`))
  text(recipe.kind, recipe.fqn)
  switch (recipe.kind) {
    case 'host-tools':
      text(JSON.stringify(recipe.metadata))
      break
    case 'system':
      text(JSON.stringify(recipe.metadata), process.arch)
      addFiles(hash, [...recipe.files, ...recipe.library])
      break
    case 'script':
      text(recipe.text, process.arch)
      addFiles(hash, recipe.includes)
      break
    case 'stager':
      text(JSON.stringify(recipe.entry))
      addFiles(hash, recipe.files)
      break
  }
  if (recipe.kind !== 'stager') text(...needed.map(({ digest }) => digest))
  return hash.digest('hex')
}

function addFiles(hash: Hash, files: readonly ShippedFile[]): void {
  for (const { path, executable, content } of files) {
    hash.update(`${path.length}:${path}${executable ? 'x' : '-'}${content.length}:`)
    hash.update(content)
  }
}
