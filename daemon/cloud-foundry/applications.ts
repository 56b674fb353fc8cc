import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { StagerdError, TooLarge, Unavailable } from '../../base/errors.js'
import { zipTar } from '../../base/zip/zip-tar.js'
import { spool } from '../exchange/spool.js'
import type { OutboundClient } from '../outbound/outbound-client.js'
import type { Resource } from '../packages/package.js'
import type { ResourceIngest } from '../store/resource-ingest.js'
import { download } from './transfers.js'

export interface ApplicationsParts {
  readonly client: Pick<OutboundClient, 'request'>
  readonly ingest: Pick<ResourceIngest, 'receive'>
  /** Of a resource, in bytes. */
  readonly maxBytes: () => Promise<number>
  /** For files of a transfer. */
  readonly directory: string
}

export interface Spooled {
  /** Without a name. The caller closes it. */
  readonly file: FileHandle
  /** In bytes. */
  readonly length: number
}

/** The zips and tars that requests name. */
export class Applications {
  constructor(private readonly parts: ApplicationsParts) {}

  /** At most as many bytes as a resource may have. Throws what `download` throws, and `TooLarge` (`download-too-large`). */
  async download(uri: string, signal: AbortSignal): Promise<Spooled> {
    const { client, directory, maxBytes: limit } = this.parts
    const body = await download(client, uri, signal)
    const maxBytes = await limit()
    try {
      return await spool(body, { directory, maxBytes, signal })
    } catch (error) {
      if (error instanceof TooLarge)
        throw new TooLarge(
          'download-too-large',
          `The application has more than the ${maxBytes} bytes that are allowed.`,
        )
      if (error instanceof StagerdError) throw error
      throw new Unavailable('download-failed', 'The application was not sent completely.', { cause: error })
    } finally {
      body.destroy()
    }
  }

  /** Throws what `zipTar` and `ResourceIngest.receive` throw. */
  async unpack({ file, length }: Spooled, signal: AbortSignal): Promise<Resource> {
    const { ingest, maxBytes } = this.parts
    const start = Buffer.alloc(4)
    await file.read(start, 0, 4, 0)
    // An unlinked file still has this name.
    const path = `/proc/self/fd/${file.fd}`
    const nothing = () => undefined
    const body = /^PK(?:\x03\x04|\x05\x06)/.test(start.toString('latin1'))
      ? Readable.from(zipTar({ file: path, length, leftOut: { add: nothing }, onForeignName: nothing }), {
          objectMode: false,
        })
      : file.createReadStream({ start: 0, autoClose: false })
    const { resource } = await ingest.receive(body, { maxBytes: await maxBytes() }, signal)
    return resource
  }
}
