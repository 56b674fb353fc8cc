import { BadInput } from '../../base/errors.js'
import { parseFqn, quote, type FqnKind } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import { refOf, type Ref } from '../store/repositories.js'

/**
 * A UUID, `package::/ns::name` or `/ns::name`. A local name is none: what it means is the client's to know.
 *
 * Throws `BadInput` (`bad-ref`, `bad-fqn`, `bad-namespace`, `bad-name`).
 */
export function parseRef(text: string, kind: FqnKind): Ref {
  if (isUuid(text)) return { uuid: text.toLowerCase() }
  if (!text.includes('::'))
    throw new BadInput(
      'bad-ref',
      `${quote(text)} names nothing: write a UUID or a full name such as ${kind}::/namespace::name.`,
    )
  return refOf(parseFqn(text, kind, '/'))
}
