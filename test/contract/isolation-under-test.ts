import { once } from 'node:events'
import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import type {
  CacheFate,
  ForcedEnding,
  Isolation,
  OutputStream,
  PrepareHooks,
  ReleaseReport,
  RunningContainer,
  StartHooks,
} from '../../isolation/isolation.js'
import type { LayerSource, Limits, PreparePlan, StartPlan } from '../../isolation/launch-plan.js'

/** A test program in two forms: for an isolation that runs programs and for the fake, which runs functions. */
export interface Program {
  readonly shell: string
  readonly fake: (context: ProgramContext) => Promise<void>
}

export interface ProgramContext {
  readonly url: string
  readonly print: (line: string) => Promise<void>
  readonly writeFile: (path: string, text: string) => void
  readonly allocate: (bytes: number) => void
  readonly fork: (processes: number) => void
  /** The texts of files in STAGER_CACHE, by name. */
  readonly cache: Map<string, string>
  /** The texts of files in STAGER_SECRETS, by name. */
  readonly secrets: ReadonlyMap<string, string>
  readonly exit: (code: number) => never
  readonly plan: Pick<StartPlan, 'environment'>
  /** Aborted when the program is stopped from outside. */
  readonly signal: AbortSignal
}

export interface IsolationUnderTest {
  readonly isolation: Isolation
  /** A root with /bin/sh, the usual utilities and a user `runner`. */
  readonly root: readonly LayerSource[]
  /** The command of a plan that runs `program`. */
  commandOf(program: Program): string
  /** Creates an image from text files by absolute path, with `KEY=VALUE` as environment. Returns its reference. */
  image(files: Readonly<Record<string, string>>, environment: string): Promise<string>
  /** Every resource of launches that still exists, one line each. */
  traces(): Promise<readonly string[]>
  close(): Promise<void>
}

const MIB = 2 ** 20
const LIMITS: Limits = { memoryBytes: 64 * MIB, cpus: 1, pids: 64, diskBytes: 64 * MIB, timeoutMs: 60_000 }

/** Both parts of a plan. */
export type WholePlan = PreparePlan & StartPlan

/** The plan of a launch, without the port of the coordinator. */
export function planOf(under: IsolationUnderTest, program: Program, limits: Partial<Limits> = {}): WholePlan {
  return {
    id: randomUUID(),
    root: under.root,
    shims: true,
    publish: [],
    stagerfs: [],
    coordinatorPort: undefined,
    cache: undefined,
    command: under.commandOf(program),
    workingDirectory: '/',
    user: 'runner',
    environment: {},
    egress: false,
    limits: { ...LIMITS, ...limits },
  }
}

/** Hooks that record the output, and a coordinator that answers OK and records its requests. */
export class Recorder implements PrepareHooks, StartHooks {
  stdout = ''
  stderr = ''
  readonly asked: string[] = []
  readonly steps: string[] = []
  readonly repairs: string[] = []
  readonly freezes: string[] = []
  readonly endings: ForcedEnding[] = []
  stdoutBeforeEnding = ''
  /** Address and port of the coordinator, when its listener is open. */
  address = ''
  port = 0
  #server: Server | undefined

  output(stream: OutputStream, chunk: Buffer): Promise<void> {
    this[stream] += chunk.toString()
    return Promise.resolve()
  }

  step(name: string): void {
    this.steps.push(name)
  }

  onFreeze = (): void => {
    this.freezes.push('freeze')
  }

  onThaw = (): void => {
    this.freezes.push('thaw')
  }

  repaired(what: string): void {
    this.repairs.push(what)
  }

  ending(cause: ForcedEnding): void {
    this.endings.push(cause)
    this.stdoutBeforeEnding = this.stdout
  }

  /** Returns the value of STAGER_URL. */
  async listen(address: string): Promise<string> {
    this.#server = createServer((request, response) => {
      this.asked.push(`${request.method ?? ''} ${request.url ?? ''}`)
      response.end('OK')
    })
    this.#server.listen(0, address)
    await once(this.#server, 'listening')
    this.address = address
    this.port = (this.#server.address() as AddressInfo).port
    return `http://${address}:${this.port}/launch`
  }

  async close(): Promise<void> {
    if (!this.#server) return
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server?.close(resolve))
  }
}

export interface Launched {
  readonly running: RunningContainer
  /** Idempotent. */
  readonly release: (cache?: CacheFate | Promise<CacheFate>) => Promise<ReleaseReport>
}

/** Launches like the daemon, with `recorder` as the coordinator. If it rejects, the container has been released. */
export async function launch(
  isolation: Isolation,
  plan: WholePlan,
  recorder: Recorder,
  signal = new AbortController().signal,
): Promise<Launched> {
  const container = await isolation.prepare(plan, recorder, signal)
  const release = async (cache?: CacheFate | Promise<CacheFate>) => {
    const report = await container.release(cache)
    await recorder.close()
    return report
  }
  try {
    const STAGER_URL = await recorder.listen(container.address)
    const environment = { ...plan.environment, STAGER_URL }
    const start = { ...plan, environment, coordinatorPort: recorder.port }
    return { running: await container.start(start, recorder, signal), release }
  } catch (error) {
    await release()
    throw error
  }
}

/** Posts to `$STAGER_URL` with netcat only, and prints the response. */
export const POST = `post() { set -- "$1" "\${STAGER_URL#http://}"; set -- "$1" "\${2%%/*}" "/\${2#*/}"; \
printf 'POST %s%s HTTP/1.0\\r\\nContent-Length: 0\\r\\n\\r\\n' "$3" "$1" | nc "\${2%:*}" "\${2#*:}"; }; `

/** Runs until it is stopped from outside. */
export const idle: Program = {
  shell: 'echo ready; sleep 60',
  fake: async ({ print, signal }) => {
    await print('ready')
    if (!signal.aborted) await once(signal, 'abort')
  },
}
/** The regular files of a gzipped tar. */
export async function filesOf(archive: Readable): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  const reader = archive.pipe(createGunzip()).pipe(extract())
  for await (const entry of reader) {
    const content = await buffer(Readable.from(entry))
    if (entry.header.type === 'file') files[entry.header.name] = content.toString()
  }
  return files
}
