import { Transform, type TransformCallback } from 'node:stream'
import { Fault } from '../../base/errors.js'
import { TAR_BLOCK } from '../../base/tar-blocks.js'
import { isZeros, padded, parseHeader, sealHeader, type TarHeader } from './tar-header.js'
import { parsePaxRecords } from './pax-records.js'

/** An extended header (`x`) or a GNU long name (`L`, `K`), which describes the next member. */
export interface Extension {
  readonly type: string
  readonly header: Buffer
  readonly body: Buffer
}

/** Everything that an archive has of a member before its data. */
export interface MemberHeaders {
  readonly extensions: readonly Extension[]
  readonly block: Buffer
  readonly header: TarHeader
}

type State =
  | { readonly at: 'header' }
  | { readonly at: 'extension'; readonly header: Buffer; readonly type: string; readonly size: number; left: number }
  | { readonly at: 'sparse-map'; readonly size: number }
  | { readonly at: 'data'; left: number }
  | { readonly at: 'end' }

/**
 * A transform stream that changes the headers of members of a plain tar archive. Everything else stays as it is, byte for
 * byte. The archive must have been accepted by the scanner, or come from tar-writer.ts.
 */
export abstract class TarRewriter extends Transform {
  #state: State = { at: 'header' }
  #partial = Buffer.alloc(0)
  #extensions: Extension[] = []

  constructor() {
    super({ highWaterMark: 256 * 1024 })
  }

  /**
   * The blocks that take the place of the headers of a member; undefined leaves out the member, which must have no data.
   */
  protected abstract rewrite(member: MemberHeaders): Buffer | undefined

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      for (let at = 0; at < chunk.length;) at += this.#take(chunk.subarray(at))
      done()
    } catch (error) {
      done(error as Error)
    }
  }

  override _flush(done: TransformCallback): void {
    done(this.#state.at === 'end' ? null : notScanned())
  }

  /** Returns the number of bytes that it has used. */
  #take(rest: Buffer): number {
    const state = this.#state
    switch (state.at) {
      case 'end':
        this.push(rest)
        return rest.length
      case 'data': {
        const data = rest.subarray(0, state.left)
        this.push(data)
        state.left -= data.length
        if (state.left === 0) this.#state = { at: 'header' }
        return data.length
      }
      case 'extension': {
        const piece = rest.subarray(0, state.left)
        this.#partial = Buffer.concat([this.#partial, piece])
        state.left -= piece.length
        if (state.left === 0) this.#extension(state, this.#emptied().subarray(0, state.size))
        return piece.length
      }
      case 'header':
      case 'sparse-map': {
        const piece = rest.subarray(0, TAR_BLOCK - this.#partial.length)
        this.#partial = Buffer.concat([this.#partial, piece])
        if (this.#partial.length === TAR_BLOCK) this.#block(state, this.#emptied())
        return piece.length
      }
    }
  }

  #emptied(): Buffer {
    const bytes = this.#partial
    this.#partial = Buffer.alloc(0)
    return bytes
  }

  #block(state: Extract<State, { at: 'header' | 'sparse-map' }>, block: Buffer): void {
    if (state.at === 'sparse-map') {
      this.push(block)
      if (block[504] !== 1) this.#expectData(state.size)
      return
    }
    if (isZeros(block)) {
      this.push(block)
      this.#state = { at: 'end' }
      return
    }
    const header = parseHeader(block)
    if (!header) throw notScanned()
    const { type, size } = header
    if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
      this.#state = { at: 'extension', header: block, type, size, left: padded(size) }
      if (size === 0) this.#extension({ header: block, type }, Buffer.alloc(0))
    } else this.#member(block, header)
  }

  #extension({ header, type }: Omit<Extension, 'body'>, body: Buffer): void {
    this.#state = { at: 'header' }
    if (type === 'g') this.push(extensionBlocks({ header, type, body }))
    else this.#extensions.push({ header, type, body })
  }

  #member(block: Buffer, header: TarHeader): void {
    const extensions = this.#extensions
    this.#extensions = []
    const headers = this.rewrite({ extensions, block, header })
    if (!headers) {
      this.#state = { at: 'header' }
      return
    }
    this.push(headers)
    const size = sizeOf(extensions) ?? header.size
    if (header.sparse?.rest === 'blocks') this.#state = { at: 'sparse-map', size }
    else this.#expectData(size)
  }

  #expectData(size: number): void {
    this.#state = size === 0 ? { at: 'header' } : { at: 'data', left: padded(size) }
  }
}

/** The blocks of an extended header or a GNU long name, whose length may have changed. */
export function extensionBlocks({ header, body }: Extension): Buffer {
  const sized = Buffer.from(header)
  sized.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  return Buffer.concat([sealHeader(sized), body, Buffer.alloc(padded(body.length) - body.length)])
}

function sizeOf(extensions: readonly Extension[]): number | undefined {
  const records = extensions.find(({ type }) => type === 'x')
  return records && parsePaxRecords(records.body, 'entry').size
}

function notScanned(): Fault {
  return new Fault('archive-failed', 'The headers of an archive cannot be rewritten, because it was not scanned.')
}
