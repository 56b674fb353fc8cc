import { createHash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { BadInput } from '../../base/errors.js'
import type { ExpectedUpload, LaunchHandler, PackageData } from '../../daemon/coordinator/launch-handler.js'
import { EMPTY_METADATA, type PackageMetadata } from '../../daemon/packages/metadata.js'
import { applyChange, type MetadataChange } from '../../daemon/packages/metadata-change.js'
import type { FreezeHooks, SnapshotRequest } from '../../isolation/isolation.js'
import type { Verdict } from '../../daemon/model/staging.js'

/** A handler that keeps the working copy in memory and records its calls, in order. */
export class MemoryLaunchHandler implements LaunchHandler {
  readonly launch = randomUUID()
  data: Buffer = gzipSync('the package')
  /** Whether `openData` knows the length. It does not for a resource that is recompressed. */
  announceLength = true
  meta: PackageMetadata = EMPTY_METADATA
  relaunchIsNeeded = true
  readonly calls: string[] = []
  /** The lines about refused requests. */
  readonly refusals: string[] = []
  /** Awaited at the start of every method, so that a test can make it fail or wait. */
  before: (call: string) => Promise<void> | void = () => undefined
  /** Called at the freeze of a snapshot. */
  freezeHooks: FreezeHooks = {}
  /** Awaited by a snapshot between the thaw and its end. */
  afterThaw: () => Promise<void> | void = () => undefined

  async openData(): Promise<PackageData> {
    await this.#begin('open')
    const length = this.announceLength ? this.data.length : undefined
    return { stream: Readable.from(pieces(this.data)), length, trustedFile: undefined }
  }

  async replaceData(body: Readable, expected: ExpectedUpload, signal: AbortSignal): Promise<void> {
    await this.#begin('replace')
    const chunks: Buffer[] = []
    for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk)
    signal.throwIfAborted()
    const data = Buffer.concat(chunks)
    for (const algorithm of ['sha256', 'sha1'] as const) {
      const digest = createHash(algorithm).update(data).digest('hex')
      if (expected[algorithm] !== undefined && expected[algorithm] !== digest)
        throw new BadInput(
          'digest-mismatch',
          `The ${algorithm} of the upload is ${digest}, not ${expected[algorithm]}.`,
        )
    }
    if (data.length !== expected.length) throw new Error('the coordinator passed on a body of another length')
    this.data = data
    this.calls.push(`replaced ${data.length}`)
  }

  metadata(): PackageMetadata {
    return this.meta
  }

  async alter(change: MetadataChange): Promise<void> {
    await this.#begin(`alter ${change.resource} ${change.action}`)
    this.meta = applyChange(this.meta, change)
  }

  async snapshot(request: SnapshotRequest, signal: AbortSignal): Promise<void> {
    const { directory = '(everything)', exclude = [] } = request
    const without = exclude.map((path) => ` without ${path}`).join('')
    this.freezeHooks.onFreeze?.()
    try {
      await this.#begin(`snapshot ${directory}${without}`)
    } finally {
      this.freezeHooks.onThaw?.()
    }
    await this.afterThaw()
    signal.throwIfAborted()
  }

  async needsRelaunch(): Promise<boolean> {
    await this.#begin('needs relaunch')
    return this.relaunchIsNeeded
  }

  async verdict(verdict: Verdict): Promise<void> {
    await this.#begin(`verdict ${verdict}`)
  }

  refused(line: string): void {
    this.refusals.push(line)
  }

  async #begin(call: string): Promise<void> {
    this.calls.push(call)
    await this.before(call)
  }
}

function* pieces(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += 64 * 1024) yield data.subarray(at, at + 64 * 1024)
}
