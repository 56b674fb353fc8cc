import { paxRecord } from '../../base/tar-blocks.js'
import { bytesOf } from './names.js'
import { paxRecords } from './pax-records.js'
import { type Extension, extensionBlocks, type MemberHeaders, TarRewriter } from './tar-rewriter.js'

const ATTRIBUTE = /^SCHILY\.xattr\./

/**
 * Writes the names of extended attributes as the Engine reads them.
 *
 * GNU tar writes `%` in a name as `%25` and `=` as `%3D`, and reads them back. Go's archive/tar, by which the Engine
 * unpacks layers, takes a name as it is written. So a `%` is written plainly here. A name with `=` cannot be written at
 * all: a record ends its key there. Such an attribute is left out, because under another name it would come back in
 * the next snapshot as one more attribute.
 */
export class EngineAttributeNames extends TarRewriter {
  protected override rewrite({ extensions, block }: MemberHeaders): Buffer {
    return Buffer.concat([...extensions.map(asEngineReads), block])
  }
}

function asEngineReads(extension: Extension): Buffer {
  if (extension.type !== 'x' || !extension.body.includes('%')) return extensionBlocks(extension)
  const records = Array.from(paxRecords(extension.body), ([key, value]) => {
    if (!ATTRIBUTE.test(key)) return paxRecord(key, value)
    if (key.includes('%3D')) return ''
    return paxRecord(key.replaceAll('%25', '%'), value)
  }).join('')
  // An extended header without a record is no header.
  return records === '' ? Buffer.alloc(0) : extensionBlocks({ ...extension, body: bytesOf(records) })
}
