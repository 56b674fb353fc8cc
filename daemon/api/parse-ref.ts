import { BadInput } from '../../base/errors.js'
import { parseFqn, quote, type FqnKind } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import { refOf, type Ref } from '../store/repositories.js'

/**
 * A UUID, `package::/ns::name` or `/ns::name`. A local name is not a reference: only the client knows its namespace.
 *
 * Throws `BadInput` (`bad-ref`, `bad-fqn`, `bad-namespace`, `bad-name`).
 */
export function parseRef(text: string, kind: FqnKind): Ref {
  if (isUuid(text)) return { uuid: text.toLowerCase() }
  if (!text.includes('::'))
    throw new BadInput(
      'bad-ref',
      `${quote(text)} is not a reference: use a UUID or a full name such as ${kind}::/namespace::name.`,
    )
  return refOf(parseFqn(text, kind, '/'))
}
