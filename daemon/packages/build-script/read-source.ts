import { quote } from '../../../base/fqn.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'
import type { Source } from './build-script.js'
import type { Value } from './document.js'
import { blockOf, Fields } from './fields.js'

const PROTOCOLS = ['http:', 'https:', 'file:']
const DIGESTS = { sha256: /^[0-9a-f]{64}$/, sha1: /^[0-9a-f]{40}$/ } as const

/** `{ url: …, sha256: … }`. Throws `DocumentSyntaxError`. */
export function readSource(item: Value): Source {
  const block = blockOf(item, 'sources')
  const fields = new Fields(block.entries, block.at, ['url', 'sha256', 'sha1'], 'a source')
  const url = fields.required('url', 'a source')
  const at = fields.get('url')?.at ?? block.at
  if (!URL.canParse(url) || !PROTOCOLS.includes(new URL(url).protocol))
    throw new DocumentSyntaxError(at, 'a URL that begins with https://, http:// or file://', quote(url))
  if (fileNameOf(url) === undefined) throw new DocumentSyntaxError(at, 'a URL that ends in a file name', quote(url))
  return { url, sha256: digest(fields, 'sha256'), sha1: digest(fields, 'sha1') }
}

/** The name of the source in the working directory; undefined if the URL has no usable file name. */
export function fileNameOf(url: string): string | undefined {
  let name: string
  try {
    name = decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '')
  } catch {
    return undefined
  }
  return /^[A-Za-z0-9_][A-Za-z0-9._+~@-]{0,200}$/.test(name) ? name : undefined
}

function digest(fields: Fields, key: keyof typeof DIGESTS): string | undefined {
  const text = fields.string(key)?.toLowerCase().replace(`${key}:`, '')
  if (text === undefined || DIGESTS[key].test(text)) return text
  const digits = key === 'sha256' ? 64 : 40
  throw new DocumentSyntaxError(fields.get(key)?.at ?? fields.at, `${digits} hexadecimal digits`, quote(text))
}
