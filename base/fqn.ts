import { BadInput } from './errors.js'
import { escapeControls } from './escape-controls.js'
import { shorten } from './shorten.js'

/** The kinds of things that have a fully qualified name. The kind of a stager is `job`. */
export type FqnKind = 'package' | 'job' | 'stagpipe' | 'policydoc'

/** A fully qualified name, as in `package::/apcera/pkg/os::debian-12`. */
export interface Fqn {
  readonly kind: FqnKind
  /** Absolute, without a trailing slash except for the root itself: `/`, `/apcera/pkg/os`. */
  readonly namespace: string
  readonly name: string
}

/** What all namespaces can use. A local name is looked for there last. */
export const SHARED_NAMESPACE = '/apcera'

/** Stagers and pipelines that only stagerd itself uses. Lists leave them out, and no local name means one of them. */
export const INTERNAL_NAMESPACE = '/apcera/internal'

/** An allowlist, because names appear in paths, labels and terminals. */
const LOCAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._+@-]{0,127}$/
const NAMESPACE = /^\/(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){0,15})?$/

/** Throws `BadInput` (`bad-name`) unless `name` is valid for a package, a stager, a pipeline or a policy. */
export function assertLocalName(name: string): void {
  if (!LOCAL_NAME.test(name))
    throw new BadInput(
      'bad-name',
      `${quote(name)} is not a name: a name has 1 to 128 letters, digits or ._+@- and begins with a letter or digit.`,
    )
}

/** Throws `BadInput` (`bad-namespace`). */
export function assertNamespace(namespace: string): void {
  if (!NAMESPACE.test(namespace))
    throw new BadInput(
      'bad-namespace',
      `${quote(namespace)} is not a namespace: a namespace begins with / and has segments of letters, digits or ._- such as /acme/pkg.`,
    )
}

/** Whether `namespace` is `outer`, or below it. */
export function isWithin(namespace: string, outer: string): boolean {
  return outer === '/' || namespace === outer || namespace.startsWith(`${outer}/`)
}

export function formatFqn(kind: FqnKind, { namespace, name }: Omit<Fqn, 'kind'>): string {
  return `${kind}::${namespace}::${name}`
}

/**
 * Parses `name`, `/ns::name` or `kind::/ns::name`.
 *
 * Throws `BadInput` (`bad-fqn`, `bad-namespace`, `bad-name`).
 *
 * @param namespace the namespace of a `name` without one
 */
export function parseFqn(text: string, kind: FqnKind, namespace: string): Fqn {
  const parts = text.split('::')
  const [first = '', second = '', third = ''] = parts
  let fqn: Fqn
  switch (parts.length) {
    case 1:
      fqn = { kind, namespace, name: first }
      break
    case 2:
      fqn = { kind, namespace: first, name: second }
      break
    case 3:
      if (first !== kind)
        throw new BadInput(
          'bad-fqn',
          `${quote(text)} ${first === '' ? 'lacks its kind' : `names a ${first}`}, but a ${kind} is expected: write ${formatFqn(kind, { namespace: second, name: third })}.`,
        )
      fqn = { kind, namespace: second, name: third }
      break
    default:
      throw new BadInput('bad-fqn', `${quote(text)} is not a name: write ${kind}::/namespace::name, or a local name.`)
  }
  if (parts.length === 1 && text.startsWith('/'))
    throw new BadInput(
      'bad-name',
      `${quote(text)} is not a name: write two colons before the name, as in ${text.replace(/\/?([^/]*)$/, '::$1').replace(/^::/, '/::')}.`,
    )
  if (parts.length === 2 && first === kind)
    throw new BadInput('bad-fqn', `${quote(text)} lacks its namespace: write ${kind}::/::${second}.`)
  assertNamespace(fqn.namespace)
  assertLocalName(fqn.name)
  return fqn
}

/** Untrusted text for a message: control characters are escaped, and long text is truncated. */
export function quote(text: string): string {
  return escapeControls(JSON.stringify(shorten(text, 120)))
}
