import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { installDirectory } from '../../../base/installation.js'
import type { BucketOptions } from '../../../daemon/store/s3/bucket.js'
import { freePort } from '../free-port.js'

const PROGRAM = join(installDirectory(), 'test/support/s3/swift-server.py')
const CREDENTIALS = { accessKeyId: 'test:tester', secretAccessKey: 'testing' }

/** A server of the S3 API: OpenStack Swift, from the package `python3-swift` of the distribution. */
export class SwiftServer {
  #child: ChildProcessWithoutNullStreams | undefined

  private constructor(
    readonly directory: string,
    private readonly address: string,
    private readonly port: number,
  ) {}

  /** @param address of this host, at which it listens */
  static async open(address = '127.0.0.1'): Promise<SwiftServer> {
    const server = new SwiftServer(await mkdtemp(join(tmpdir(), 'stagerd-swift-')), address, await freePort())
    await server.start()
    const client = new S3Client({ ...server.options, credentials: CREDENTIALS, forcePathStyle: true })
    await client.send(new CreateBucketCommand({ Bucket: server.options.bucket }))
    client.destroy()
    return server
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Also after `kill`: with what it had stored. */
  async start(): Promise<void> {
    // That of the distribution, which has its modules.
    const at = [this.address, String(this.port)]
    const child = spawn('/usr/bin/python3', [PROGRAM, this.directory, ...at, CREDENTIALS.accessKeyId])
    this.#child = child
    child.stdin.on('error', () => undefined)
    child.stdin.write(`${CREDENTIALS.secretAccessKey}\n`)
    const said: string[] = []
    child.stderr.on('data', (text: Buffer) => said.push(String(text)))
    for await (const line of createInterface({ input: child.stdout })) if (line === 'ready') return
    throw new Error(`Swift does not start: ${said.join('')}`)
  }

  get options(): BucketOptions & { readonly endpoint: string } {
    return {
      endpoint: `http://${this.address}:${this.port}`,
      region: 'us-east-1',
      bucket: 'stagerd',
      prefix: '',
      credentials: CREDENTIALS,
    }
  }

  /** As if its host had lost its power. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child) return
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  async close(): Promise<void> {
    await this.kill()
    await rm(this.directory, { recursive: true, force: true })
  }
}
