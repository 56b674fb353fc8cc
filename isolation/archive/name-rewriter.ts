import { BadInput } from '../../base/errors.js'
import { bytesOf, canonicalName, show } from './names.js'
import { parsePaxRecords, paxRecords } from './pax-records.js'
import { paxRecord } from '../../base/tar-blocks.js'
import { sealHeader, writeText, type TarHeader } from './tar-header.js'
import { type Extension, extensionBlocks, type MemberHeaders, TarRewriter } from './tar-rewriter.js'

const NAME = { at: 0, length: 100 } as const
const LINK_NAME = { at: 157, length: 100 } as const
const PREFIX = { at: 345, length: 155 } as const

/** How the names of one member are changed. */
interface Renaming {
  readonly name: (raw: string) => string
  readonly target: (raw: string) => string
}

/**
 * Gives the members of an archive their canonical names, and omits entries of the root.
 *
 * At least one member must be below the root. A name is at most as long as before, so each stays where it is: in the
 * header, in a record of the extended header, or in a GNU long name.
 */
export class NameRewriter extends TarRewriter {
  protected override rewrite({ extensions, block, header }: MemberHeaders): Buffer | undefined {
    const name = memberName({ extensions, header })
    const isDirectory = header.type === '5' || (/[07\0]/.test(header.type) && name.endsWith('/'))
    const renaming: Renaming = {
      name: (raw) => canonicalName(raw, isDirectory),
      target: header.type === '1' ? (raw) => canonicalName(raw, false) : (raw) => raw,
    }
    // The root of a package is always a directory of root.
    if (renaming.name(name) === '') return undefined
    const described = extensions.map((extension) => renamedExtension(extension, renaming))
    return Buffer.concat([...described, renamedHeader(block, header, renaming)])
  }
}

/** The name that counts, as it is written. */
export function memberName({ extensions, header }: Pick<MemberHeaders, 'extensions' | 'header'>): string {
  const records = extensions.find(({ type }) => type === 'x')
  const extended = records ? parsePaxRecords(records.body, 'entry') : {}
  const longName = extensions.find(({ type }) => type === 'L')
  return extended.sparseName ?? extended.path ?? (longName ? textOf(longName.body) : header.name)
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

/** A GNU long name ends with a NUL. */
export function textOf(body: Buffer): string {
  const end = body.indexOf(0)
  return body.toString('latin1', 0, end < 0 ? body.length : end)
}
