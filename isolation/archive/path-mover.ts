import { posix } from 'node:path'
import { paxRecord, tarBlock } from '../../base/tar-blocks.js'
import { canonicalName } from './names.js'
import { memberName, textOf } from './name-rewriter.js'
import { paxRecords } from './pax-records.js'
import { sealHeader, writeText } from './tar-header.js'
import { type Extension, extensionBlocks, type MemberHeaders, TarRewriter } from './tar-rewriter.js'

const NAME = { at: 0, length: 100 } as const
const LINK_NAME = { at: 157, length: 100 } as const
const PREFIX = { at: 345, length: 155 } as const
const OWNERS = [
  { at: 108, length: 8 },
  { at: 116, length: 8 },
] as const
/** In the formats ustar and GNU; old headers have nothing there. */
const OWNER_NAMES = [
  { at: 265, length: 32 },
  { at: 297, length: 32 },
] as const

/** `extensionBlocks` writes its size. */
const EXTENDED_HEADER = tarBlock({ name: 'PaxHeader', type: 'x' })

/** Directories from the root, without slashes at their ends. Bytes as latin1; the empty string is the root. */
export interface Move {
  readonly from: string
  readonly to: string
  /** The number of the user and the group that get everything; by default the owners stay. */
  readonly owner?: number
  /** Whether absolute symbolic links stay as they are: what they mean is outside of the archive. */
  readonly keepLinks?: boolean
}

/**
 * Moves the members below one directory of an archive to another one. Everything else is left out, which must be
 * directories: see `TarRewriter.rewrite`.
 *
 * The directory itself is left out, too: it may be missing, so whoever calls this adds it. An absolute symbolic link to
 * something that is moved becomes a relative one, so that it holds wherever the archive is unpacked.
 */
export class PathMover extends TarRewriter {
  constructor(private readonly move: Move) {
    super()
  }

  protected override rewrite(member: MemberHeaders): Buffer | undefined {
    const { extensions, block, header } = member
    const name = canonicalName(memberName(member), false)
    const moved = movedPath(name, this.move)
    if (moved === undefined || moved === this.move.to) return undefined
    const target = this.#target(member, name)
    const isSparse = extensions.some(({ type, body }) => type === 'x' && hasSparseName(body))
    const records = {
      // A sparse member has its name in a record of its own.
      ...(isSparse ? { 'GNU.sparse.name': moved } : moved.length > NAME.length ? { path: moved } : {}),
      ...(target.length > LINK_NAME.length ? { linkpath: target } : {}),
    }
    const renamed = Buffer.from(block)
    writeText(renamed, NAME, moved.slice(0, NAME.length))
    if (header.hasPrefix) writeText(renamed, PREFIX, '')
    writeText(renamed, LINK_NAME, target.slice(0, LINK_NAME.length))
    const { owner } = this.move
    if (owner !== undefined) writeOwner(renamed, owner)
    return Buffer.concat([extended(extensions, records, owner !== undefined), sealHeader(renamed)])
  }

  #target({ extensions, header }: MemberHeaders, name: string): string {
    const records = extensions.find(({ type }) => type === 'x')
    const longLink = extensions.find(({ type }) => type === 'K')
    const linkPath = records && new Map(paxRecords(records.body)).get('linkpath')
    const raw = linkPath ?? (longLink ? textOf(longLink.body) : header.linkName)
    if (header.type === '1') {
      const path = canonicalName(raw, false)
      return movedPath(path, this.move) ?? path
    }
    if (header.type !== '2' || !raw.startsWith('/') || this.move.keepLinks === true) return raw
    const path = posix.normalize(raw).replace(/^\/|\/$/g, '')
    return movedPath(path, this.move) === undefined ? raw : posix.relative(`/${posix.dirname(name)}`, `/${path}`) || '.'
  }
}

/** Undefined for what is not there. */
export function movedPath(path: string, { from, to }: Pick<Move, 'from' | 'to'>): string | undefined {
  if (path === from) return to
  if (from === '') return posix.join(to, path)
  return path.startsWith(`${from}/`) ? posix.join(to, path.slice(from.length + 1)) : undefined
}

function writeOwner(block: Buffer, owner: number): void {
  for (const field of OWNERS) writeText(block, field, owner.toString(8).padStart(7, '0'))
  for (const field of OWNER_NAMES) writeText(block, field, '')
}

/** One extended header for all: names and targets are where `records` has them, the rest stays, but for the owners. */
function extended(
  extensions: readonly Extension[],
  records: Readonly<Record<string, string>>,
  withoutOwners: boolean,
): Buffer {
  const own = extensions.find(({ type }) => type === 'x')
  const owners = withoutOwners ? ['uid', 'gid', 'uname', 'gname'] : []
  const named = new Set(['path', 'linkpath', 'GNU.sparse.name', ...owners])
  const kept = own ? Array.from(paxRecords(own.body)).filter(([key]) => !named.has(key)) : []
  const text = [...kept, ...Object.entries(records)].map(([key, value]) => paxRecord(key, value)).join('')
  if (text === '') return Buffer.alloc(0)
  return extensionBlocks({ type: 'x', header: own?.header ?? EXTENDED_HEADER, body: Buffer.from(text, 'latin1') })
}

function hasSparseName(body: Buffer): boolean {
  return new Map(paxRecords(body)).has('GNU.sparse.name')
}
