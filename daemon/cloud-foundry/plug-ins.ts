import type { Readable } from 'node:stream'
import { BadInput, NotFound } from '../../base/errors.js'
import { parseFqn, quote, SHARED_NAMESPACE } from '../../base/fqn.js'
import type { Capability } from '../packages/metadata.js'
import type { Resource } from '../packages/package.js'
import type { Resolver } from '../resolver/resolver.js'
import type { BlobStore } from '../store/blob-store.js'
import type { PipelineRepository, Ref } from '../store/repositories.js'
import { detectionRules, judge, type DetectionRule } from './detection-rules.js'
import type { FrameworkPlugIn, PlugInTable } from './plug-in-table.js'
import { chooseRuntime, pipelineOfRuntime, runtimesThere, type ChosenRuntime } from './runtimes.js'
import type { FrameworkWish, StagingRequest } from './staging-request.js'

export interface PlugInsParts {
  readonly table: PlugInTable
  /** Of the packages of applications. */
  readonly namespace: string
  readonly pipelines: Pick<PipelineRepository, 'get'>
  readonly resolver: Pick<Resolver, 'with'>
  readonly blobs: Pick<BlobStore, 'open'>
  /** The beginnings of these files of an archive, by their paths; bytes as latin1. */
  readonly readBeginnings: (
    body: Readable,
    options: {
      readonly isWanted: (path: string) => boolean
      readonly bytesOfOne: number
      readonly bytesOfAll: number
      readonly signal: AbortSignal
    },
  ) => Promise<ReadonlyMap<string, Buffer>>
}

type Wish = Pick<StagingRequest, 'framework' | 'runtime' | 'buildpack' | 'environment'>

/** What the package of an application gets from its request and its files. */
export interface PreparedApplication {
  readonly dependencies: readonly Capability[]
  readonly environment: Readonly<Record<string, string>>
  /** For the log of the task. */
  readonly lines: readonly string[]
}

/** The pipeline of requests that name a buildpack, or neither that nor a framework. */
export const BUILDPACK_PIPELINE = 'buildpack'

/** What frameworks, runtimes and buildpacks of requests mean on this node. */
export class PlugIns {
  constructor(private readonly parts: PlugInsParts) {}

  /**
   * The pipeline of a request: in the namespace of applications, the root, or the one that all share.
   *
   * Throws `BadInput` (`unknown-framework`, `bad-runtime`), `NotFound` (`no-pipeline`).
   */
  async pipelineOf(wish: Wish): Promise<Ref> {
    const name = this.#pipelineNameOf(wish)
    const { namespace, pipelines } = this.parts
    const spaces = name.includes('::') ? ['/'] : [namespace, '/', SHARED_NAMESPACE]
    for (const space of spaces) {
      const ref = parseFqn(name, 'stagpipe', space)
      try {
        await pipelines.get(ref)
        return ref
      } catch (error) {
        if (!(error instanceof NotFound)) throw error
      }
    }
    throw new NotFound(
      'no-pipeline',
      `There is no pipeline ${quote(name)}, which the request needs: make it with \`stagectl bootstrap\`.`,
    )
  }

  /**
   * Checks the files of an application against its framework, and finds its runtime.
   *
   * Throws `BadInput` (`unknown-framework`, `bad-detection`, `framework-mismatch`, `bad-runtime`), `NotFound`
   * (`no-runtime`), and what reading the resource throws.
   */
  async prepare(wish: Wish, resource: Pick<Resource, 'sha256'>, signal: AbortSignal): Promise<PreparedApplication> {
    const { framework, runtime, environment, buildpack } = wish
    const pipeline = this.#pipelineNameOf(wish)
    const chosen = runtime && (await this.#chosen(wish))
    const start = buildpack === undefined && framework ? await this.#startOf(framework, resource, signal) : undefined
    const isNeeded = chosen && (chosen.isExact || chosen.pipeline !== pipeline)
    return {
      // Where it is not the version that was asked for, the files of the application may say more than its name.
      dependencies: isNeeded ? [chosen.capability] : [],
      environment: {
        ...(start === undefined ? {} : { START_COMMAND: start }),
        ...environment,
        ...(buildpack === undefined ? {} : { BUILDPACK: buildpack }),
      },
      lines: chosen?.line === undefined ? [] : [chosen.line],
    }
  }

  #pipelineNameOf({ framework, runtime, buildpack }: Wish): string {
    if (buildpack !== undefined || framework === undefined) return BUILDPACK_PIPELINE
    const plugIn = this.#plugInOf(framework)
    const { runtimes } = framework
    if (runtime && runtimes.length > 0 && !runtimes.includes(runtime.name))
      throw new BadInput(
        'bad-runtime',
        `The runtime ${quote(runtime.name)} is not one of those of the framework ${quote(framework.name)}: ${runtimes.map(quote).join(', ')}.`,
      )
    const name = plugIn.pipeline ?? (runtime && pipelineOfRuntime(runtime.name, this.parts.table.runtimes))
    if (name === undefined)
      throw new BadInput(
        'bad-runtime',
        `The framework ${quote(framework.name)} needs a runtime that names its pipeline: ${[...this.parts.table.runtimes.keys()].join(', ')}.`,
      )
    return name
  }

  #plugInOf({ name }: FrameworkWish): FrameworkPlugIn {
    const { frameworks } = this.parts.table
    const found = frameworks.get(name)
    if (found) return found
    const known = [...frameworks.keys()].join(', ')
    throw new BadInput('unknown-framework', `The framework ${quote(name)} is not one of ${known}.`)
  }

  async #chosen({ runtime }: Wish): Promise<ChosenRuntime | undefined> {
    if (!runtime) return undefined
    const { table, resolver, namespace } = this.parts
    return await resolver.with((catalogue) =>
      chooseRuntime(runtime, table.runtimes, runtimesThere(catalogue, namespace)),
    )
  }

  /** Checks the files, and returns the start command that the framework gives them, if it gives one. */
  async #startOf(
    wish: FrameworkWish,
    resource: Pick<Resource, 'sha256'>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { alternatives, start } = this.#plugInOf(wish)
    // The rules of the request say what its sender means by this name.
    const demanded = wish.detection ? [detectionRules(wish.detection)] : alternatives
    const files = await this.#filesOf([...demanded, ...alternatives].flat(), resource, signal)
    await assertFitting(wish.name, demanded, files)
    if (start === undefined || hasStart(files.get('Procfile') ?? '')) return undefined
    const { objection, file } = await judge(alternatives[0] ?? [], files)
    if (objection !== undefined) return undefined
    if (!start.includes(FILE)) return start
    return file === undefined ? undefined : start.replaceAll(FILE, () => shellWord(file))
  }

  /** Their texts, by their paths from the root of the application. */
  async #filesOf(
    rules: readonly DetectionRule[],
    { sha256 }: Pick<Resource, 'sha256'>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const { blobs, readBeginnings } = this.parts
    const isRead = (path: string) => path === 'Procfile' || rules.some(({ isFile }) => isFile(path))
    // What was staged before has the application in app/.
    let isPrefixed = true
    const { stream } = await blobs.open(sha256)
    const isWanted = (bytes: string) => {
      const path = textOf(bytes)
      if (!path.startsWith(PREFIX)) isPrefixed = false
      return isRead(path) || (path.startsWith(PREFIX) && isRead(path.slice(PREFIX.length)))
    }
    const found = await readBeginnings(stream, { isWanted, bytesOfOne: FILE_BYTES, bytesOfAll: ALL_BYTES, signal })
    return new Map(
      [...found]
        .map(([bytes, text]): [string, string] => [
          textOf(bytes).slice(isPrefixed ? PREFIX.length : 0),
          text.toString(),
        ])
        .filter(([path]) => isRead(path)),
    )
  }
}

async function assertFitting(
  framework: string,
  alternatives: readonly (readonly DetectionRule[])[],
  files: ReadonlyMap<string, string>,
): Promise<void> {
  const objections: string[] = []
  for (const rules of alternatives) {
    const { objection } = await judge(rules, files)
    if (objection === undefined) return
    objections.push(objection)
  }
  if (objections.length > 0)
    throw new BadInput(
      'framework-mismatch',
      `The application is not one of the framework ${quote(framework)}, because ${[...new Set(objections)].join(', and ')}.`,
    )
}

/** In a start command: what the first rule has found. */
const FILE = '@file@'

const PREFIX = 'app/'

/** What is read of a file, and of all files that rules name. */
const FILE_BYTES = 64 * 1024
const ALL_BYTES = 1024 ** 2

function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}

function hasStart(procfile: string): boolean {
  return /^web:\s*\S/m.test(procfile)
}

function shellWord(text: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
