import { chmod } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { stagectl } from '../../../cli/stagectl.js'
import { ApiUnderTest } from '../../daemon/api/api-under-test.js'
import { CapturedIo } from './captured-io.js'
import { makeWorkspace } from './workspace.js'

/** The client and the control API in one process, on a real store, with a workspace for the client. */
export class RealApi {
  private constructor(
    readonly api: ApiUnderTest,
    readonly root: string,
    readonly socket: string,
    readonly remove: () => Promise<void>,
  ) {
    api.api.server.on('request', ({ method, url }) => this.requests.push(`${method} ${url?.replace(/\?.*/, '')}`))
  }

  /** What the daemon was asked since the start, or since this was emptied: method and path. */
  readonly requests: string[] = []

  static async open(): Promise<RealApi> {
    const { root, remove } = await makeWorkspace()
    const api = await ApiUnderTest.open()
    const directory = api.directory.path
    const socket = path.join(directory, 'api.sock')
    await api.api.listen({ path: socket })
    // For a client that runs as another user.
    for (const reached of [root, directory]) await chmod(reached, 0o755)
    await chmod(socket, 0o777)
    return new RealApi(api, root, socket, remove)
  }

  async run(
    argv: readonly string[],
    options: ConstructorParameters<typeof CapturedIo>[1] = {},
  ): Promise<{ readonly code: number; readonly io: CapturedIo }> {
    const io = new CapturedIo(this.root, { ...options, env: { STAGERD_SOCKET: this.socket, ...options.env } })
    return { code: await stagectl(argv, io), io }
  }

  /** Creates a package with data, a stager of it, and pipelines. */
  async addStager(namespace: string, name: string): Promise<void> {
    await this.addPackage(namespace, `stager-${name}`)
    const program = `package::${namespace}::stager-${name}`
    await this.#made('/v1/stagers', { namespace, name, package: program, start_command: './stager' })
  }

  async addPipeline(namespace: string, name: string, ...stagers: readonly string[]): Promise<void> {
    await this.#made('/v1/stagingpipelines', { namespace, name, stagers })
  }

  async addPackage(namespace: string, name: string, more: object = {}): Promise<void> {
    await this.#made('/v1/packages', {
      namespace,
      name,
      resource: await this.api.upload(gzipSync(Buffer.alloc(512))),
      state: 'ready',
      ...more,
    })
  }

  async close(): Promise<void> {
    await this.api.close()
    await this.remove()
  }

  async #made(url: string, document: object): Promise<void> {
    const { status, document: answer } = await this.api.ask('POST', url, document)
    if (status !== 201) throw new Error(`${url}: ${status} ${JSON.stringify(answer)}`)
  }
}
