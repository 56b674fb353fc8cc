import type { IToken } from 'chevrotain'
import { assertLocalName, assertNamespace } from '../../../base/fqn.js'
import { parseSize } from '../../../base/size.js'
import { CAPABILITY_TYPES, type CapabilityType } from '../metadata.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'
import { assertCapability } from '../validate.js'
import type { Claim, Condition, Policy, Realm, Statement, Target } from './policy.js'
import { describeToken, positionOf } from './policy-messages.js'
import type { Item, RealmBlock } from './policy-parser.js'

const REALM_KINDS = ['job', 'package', 'stagpipe', 'policydoc', 'quota']
const RESOLUTION: Readonly<Record<string, 'allow' | 'default' | 'lock' | 'retire'>> = {
  'package.allow': 'allow',
  'package.default': 'default',
  'package.lock': 'lock',
  'package.retire': 'retire',
}
const CLAIMS = [...Object.keys(RESOLUTION), 'package.size', 'total.package.size', 'running.stagings', 'permit', 'role']
const VERBS = ['create', 'read', 'update', 'delete']

/** Interprets the syntax tree of a document. Throws `DocumentSyntaxError` at the first invalid token. */
export function readStatements(realms: readonly RealmBlock[]): Policy {
  return realms.flatMap(({ realm: token, items }) => {
    const realm = readRealm(token)
    return items.flatMap((item) => readItem(realm, [], item))
  })
}

function readItem(realm: Realm, conditions: readonly Condition[], item: Item): Statement[] {
  if (item.kind === 'claim') {
    const claim = readClaim(realm, item.key, item.values)
    if (claim.kind === 'concurrency' && conditions.length > 0)
      throw fault(item.key, `${item.key.image} outside of an if`)
    return [{ realm, conditions, claim, at: positionOf(item.key) }]
  }
  const inner = [...conditions, readCondition(item.subject, item.comparator, item.value)]
  return item.items.flatMap((each) => readItem(realm, inner, each))
}

function readRealm(token: IToken): Realm {
  const [kind = '', namespace = '', name, ...rest] = token.image.split('::')
  const expected = `a realm such as job::/prod, with one of the kinds ${REALM_KINDS.join(', ')}`
  if (!REALM_KINDS.includes(kind) || rest.length > 0) throw fault(token, expected)
  return { kind, ...readNames(token, namespace, name, expected) }
}

function readCondition(subject: IToken, comparator: IToken, value: IToken): Condition {
  if (subject.image !== 'dependency') throw fault(subject, 'dependency')
  if (!['equals', '==', 'fqnMatch'].includes(comparator.image)) throw fault(comparator, 'equals, == or fqnMatch')
  const text = textOf(value)
  const dot = text.indexOf('.')
  const dependency = { type: text.slice(0, dot) as CapabilityType, name: text.slice(dot + 1) }
  try {
    assertCapability(dependency)
  } catch (error) {
    const types = CAPABILITY_TYPES.join(', ')
    throw fault(value, `a dependency such as runtime.ruby, with one of the types ${types}`, error)
  }
  return { comparator: comparator.image === 'fqnMatch' ? 'fqnMatch' : 'equals', dependency }
}

function readClaim(realm: Realm, key: IToken, values: readonly IToken[]): Claim {
  const [first, second] = values
  if (!first) throw fault(key, 'a claim with a value')
  const resolution = RESOLUTION[key.image]
  if (key.image !== 'permit' && second) throw fault(second, `one value for ${key.image}`)
  if (resolution) {
    if (realm.kind !== 'job') throw fault(key, `a claim for a ${realm.kind} realm; ${key.image} is for job realms`)
    return { kind: resolution, target: readTarget(first) }
  }
  switch (key.image) {
    case 'package.size':
    case 'total.package.size': {
      const size = parseSize(textOf(first))
      if (size === undefined) throw fault(first, 'a size such as 500MB or 2GB')
      return { kind: 'quota', of: key.image, bytes: size }
    }
    case 'running.stagings': {
      if (realm.kind !== 'quota' || realm.name !== undefined)
        throw fault(
          key,
          `a claim for this realm; ${key.image} is for quota realms of a namespace, such as quota::/prod`,
        )
      const count = textOf(first)
      if (!/^\d{1,6}$/.test(count)) throw fault(first, 'a number of stagings from 0 to 999999')
      return { kind: 'concurrency', limit: Number(count) }
    }
    case 'permit': {
      const wrong = values.find((verb) => !VERBS.includes(textOf(verb)))
      if (wrong) throw fault(wrong, `one of ${VERBS.join(', ')}`)
      return { kind: 'permit', verbs: values.map(textOf) }
    }
    case 'role':
      return { kind: 'role', role: textOf(first) }
    default:
      throw fault(key, `one of the claims ${CLAIMS.join(', ')}`)
  }
}

function readTarget(token: IToken): Target {
  const [kind = '', namespace = '', name, ...rest] = textOf(token).split('::')
  const expected = 'a package such as "package::/prod/pkg::ruby-2.1", or a namespace such as "package::/prod/pkg"'
  if (kind !== 'package' || rest.length > 0) throw fault(token, expected)
  return readNames(token, namespace, name, expected)
}

function readNames(token: IToken, namespace: string, name: string | undefined, expected: string): Target {
  try {
    assertNamespace(namespace)
    if (name !== undefined) assertLocalName(name)
    return { namespace, name }
  } catch (error) {
    throw fault(token, expected, error)
  }
}

function textOf({ image }: IToken): string {
  return image.startsWith('"') ? image.slice(1, -1) : image
}

function fault(token: IToken, expected: string, cause?: unknown): DocumentSyntaxError {
  return new DocumentSyntaxError(positionOf(token), expected, describeToken(token), { cause })
}
