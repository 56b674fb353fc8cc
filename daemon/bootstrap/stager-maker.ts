import type { Readable } from 'node:stream'
import type { Limits } from '../../isolation/launch-plan.js'
import { EMPTY_METADATA } from '../packages/metadata.js'
import type { Resource } from '../packages/package.js'
import type { PackageRepository, PipelineRepository, StagerRepository } from '../store/repositories.js'
import { find } from './find.js'
import { packProgram } from './pack-input.js'
import type { RecipeOf } from './recipe.js'

export interface StagerMakerParts {
  readonly packages: Pick<PackageRepository, 'get' | 'create' | 'delete'>
  readonly stagers: StagerRepository
  readonly pipelines: PipelineRepository
  /** Of a stager that sets none of its own. */
  readonly limits: Limits
  readonly receive: (body: Readable, namespace: string, signal: AbortSignal) => Promise<Resource>
  /** Gives a temporary package its final name. */
  readonly publish: (
    temporary: { readonly uuid: string },
    target: { readonly namespace: string; readonly name: string },
  ) => Promise<void>
}

/** Makes stagers, each with the package of its program and a pipeline of the same name. */
export class StagerMaker {
  readonly #parts: StagerMakerParts

  constructor(parts: StagerMakerParts) {
    this.#parts = parts
  }

  async standing(recipe: RecipeOf<'stager'>, digest: string): Promise<'current' | 'kept' | undefined> {
    const { packages, stagers, pipelines } = this.#parts
    const stager = await find(stagers.get(refOf(recipe)))
    const program = stager
      ? await packages.get({ uuid: stager.packageUuid })
      : await find(packages.get(programOf(recipe)))
    if (!program) return undefined
    if (program.recipe === undefined) return 'kept'
    const pipeline = await find(pipelines.get(refOf(recipe)))
    return stager && pipeline && program.recipe === digest ? 'current' : undefined
  }

  async make(recipe: RecipeOf<'stager'>, digest: string, signal: AbortSignal): Promise<void> {
    const { packages, stagers, pipelines, limits, receive, publish } = this.#parts
    const { namespace, name, entry } = recipe
    const target = programOf(recipe)
    const temporaryName = `${target.name}.bootstrap-${digest.slice(0, 8)}`
    const settings = {
      startCommand: entry.startCommand,
      additive: entry.additive,
      egress: entry.egress,
      reproducible: entry.reproducible,
      user: entry.user,
      limits: { ...limits, ...entry.limits },
      dependencies: entry.dependencies,
      expects: entry.expects,
    }
    // An existing stager gets its settings before the program, whose digest says that both are there. Its variables are
    // those of its users, such as the list of buildpacks.
    const existing = await find(stagers.get(refOf(recipe)))
    if (existing) await stagers.update(refOf(recipe), settings)
    const leftOver = await find(packages.get({ namespace, name: temporaryName }))
    if (leftOver) await packages.delete({ uuid: leftOver.uuid })
    const resource = await receive(packProgram(recipe), namespace, signal)
    const draft = {
      ...EMPTY_METADATA,
      namespace,
      name: temporaryName,
      resource,
      state: 'ready',
      recipe: digest,
    } as const
    await publish({ uuid: (await packages.create(draft)).uuid }, target)
    const packageUuid = (await packages.get(target)).uuid
    const stager = existing ?? (await stagers.create({ ...settings, environment: {}, namespace, name, packageUuid }))
    if (!(await find(pipelines.get(refOf(recipe))))) await pipelines.create({ namespace, name, stagers: [stager.uuid] })
  }
}

function refOf({ namespace, name }: RecipeOf<'stager'>) {
  return { namespace, name }
}

/** As `stagectl stager create` names it. */
function programOf({ namespace, name }: RecipeOf<'stager'>) {
  return { namespace, name: `stager-${name}` }
}
