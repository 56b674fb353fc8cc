import { Fault, messageOf } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import { parsePolicy } from './parse-policy.js'
import type { NamedPolicy } from './subject-rules.js'

interface PolicyText {
  readonly namespace: string
  readonly name: string
  readonly text: string
}

/** The policies of stored documents, which are parsed again only when another array of documents is given. */
export class ParsedPolicies {
  #documents: readonly PolicyText[] = []
  #parsed: readonly NamedPolicy[] = []

  /** In the order of the documents. Throws `Fault` (`policy-unreadable`). */
  of(documents: readonly PolicyText[]): readonly NamedPolicy[] {
    if (documents !== this.#documents) {
      this.#parsed = documents.map(parse)
      this.#documents = documents
    }
    return this.#parsed
  }
}

/** The text was checked when it was stored. If it cannot be parsed, it must not be ignored: it may contain a lock. */
function parse({ namespace, name, text }: PolicyText): NamedPolicy {
  const fqn = formatFqn('policydoc', { namespace, name })
  try {
    return { fqn, policy: parsePolicy(text) }
  } catch (error) {
    throw new Fault(
      'policy-unreadable',
      `${fqn} cannot be parsed, and stagerd does not act without it: store it again. ${messageOf(error)}`,
      { cause: error },
    )
  }
}
