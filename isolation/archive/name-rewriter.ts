import { Transform, type TransformCallback } from 'node:stream'
import { BadInput, Fault } from '../../base/errors.js'
import { bytesOf, canonicalName, show } from './names.js'
import { parsePaxRecords, paxRecords } from './pax-records.js'
import { paxRecord, TAR_BLOCK } from '../../base/tar-blocks.js'
import { isZeros, padded, parseHeader, sealHeader, writeText, type TarHeader } from './tar-header.js'

const NAME = { at: 0, length: 100 } as const
const LINK_NAME = { at: 157, length: 100 } as const
const PREFIX = { at: 345, length: 155 } as const

/** An extended header (`x`) or a GNU long name (`L`, `K`), which describes the next member. */
interface Extension {
  readonly type: string
  readonly header: Buffer
  readonly body: Buffer
}

type State =
  | { readonly at: 'header' }
  | { readonly at: 'extension'; readonly header: Buffer; readonly type: string; readonly size: number; left: number }
  | { readonly at: 'sparse-map'; readonly size: number }
  | { readonly at: 'data'; left: number }
  | { readonly at: 'end' }

/** How the names of one member are changed. */
interface Renaming {
  readonly name: (raw: string) => string
  readonly target: (raw: string) => string
}

/**
 * A transform stream that gives the members of a plain tar archive their canonical names, and omits entries of the root.
 * Everything else stays as it is, byte for byte.
 *
 * The archive must have been accepted by the scanner, with at least one member below the root. A name is at most as long
 * as before, so each stays where it is: in the header, in a record of the extended header, or in a GNU long name.
 */
export class NameRewriter extends Transform {
  #state: State = { at: 'header' }
  #partial = Buffer.alloc(0)
  #extensions: Extension[] = []

  constructor() {
    super({ highWaterMark: 256 * 1024 })
  }

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
    const records = extensions.find(({ type }) => type === 'x')
    const extended = records ? parsePaxRecords(records.body, 'entry') : {}
    const longName = extensions.find(({ type }) => type === 'L')
    const name = extended.sparseName ?? extended.path ?? (longName ? textOf(longName.body) : header.name)
    const isDirectory = header.type === '5' || (/[07\0]/.test(header.type) && name.endsWith('/'))
    const renaming: Renaming = {
      name: (raw) => canonicalName(raw, isDirectory),
      target: header.type === '1' ? (raw) => canonicalName(raw, false) : (raw) => raw,
    }
    // The root of a package is always a directory of root.
    if (renaming.name(name) === '') {
      this.#state = { at: 'header' }
      return
    }
    const described = extensions.map((extension) => renamedExtension(extension, renaming))
    this.push(Buffer.concat([...described, renamedHeader(block, header, renaming)]))
    const size = extended.size ?? header.size
    if (header.sparse?.extended) this.#state = { at: 'sparse-map', size }
    else this.#expectData(size)
  }

  #expectData(size: number): void {
    this.#state = size === 0 ? { at: 'header' } : { at: 'data', left: padded(size) }
  }
}

function renamedHeader(block: Buffer, header: TarHeader, renaming: Renaming): Buffer {
  const renamed = Buffer.from(block)
  writeText(renamed, LINK_NAME, renaming.target(header.linkName))
  const name = renaming.name(header.name)
  // What the field has of a name that an extension states in full can be empty, or can be left as it is.
  if (name !== '' && name !== header.name) {
    const { prefix, base } = splitName(name)
    writeText(renamed, NAME, base)
    if (header.hasPrefix) writeText(renamed, PREFIX, prefix)
  }
  return sealHeader(renamed)
}

/** At the first slash after which the rest fits: the prefix is as short as possible. */
function splitName(name: string): { readonly prefix: string; readonly base: string } {
  if (name.length <= NAME.length) return { prefix: '', base: name }
  const slash = name.indexOf('/', name.length - NAME.length - 1)
  if (slash < 1 || slash > PREFIX.length || slash === name.length - 1)
    throw new BadInput('archive-refused', `Entry ${show(name)} is refused: write its path without "." and "//".`)
  return { prefix: name.slice(0, slash), base: name.slice(slash + 1) }
}

function renamedExtension({ type, header, body }: Extension, renaming: Renaming): Buffer {
  const withBody = (changed: Buffer) => extensionBlocks({ type, header, body: changed })
  switch (type) {
    case 'L':
      return withBody(bytesOf(`${renaming.name(textOf(body))}\0`))
    case 'K':
      return withBody(bytesOf(`${renaming.target(textOf(body))}\0`))
    default:
      return withBody(
        bytesOf(
          Array.from(paxRecords(body), ([key, value]) => paxRecord(key, renamedValue(key, value, renaming))).join(''),
        ),
      )
  }
}

function renamedValue(key: string, value: string, renaming: Renaming): string {
  switch (key) {
    case 'path':
    case 'GNU.sparse.name':
      return renaming.name(value)
    case 'linkpath':
      return renaming.target(value)
    default:
      return value
  }
}

function extensionBlocks({ header, body }: Extension): Buffer {
  const sized = Buffer.from(header)
  sized.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  return Buffer.concat([sealHeader(sized), body, Buffer.alloc(padded(body.length) - body.length)])
}

/** A GNU long name ends with a NUL. */
function textOf(body: Buffer): string {
  const end = body.indexOf(0)
  return body.toString('latin1', 0, end < 0 ? body.length : end)
}

function notScanned(): Fault {
  return new Fault('archive-failed', 'The names of an archive cannot be rewritten, because it was not scanned.')
}
