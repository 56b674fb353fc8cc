import type { Capability } from '../metadata.js'
import { formatCapability, sameCapability } from '../capability.js'
import type { Package } from '../package.js'
import { NO_RULES, type DependencyRules, type Rules } from '../resolution/rules.js'
import { isWithin, type Condition, type Policy, type Realm, type Statement, type Target } from './policy.js'

/** A policy document with its name, for explanations. */
export interface NamedPolicy {
  /** `policydoc::/ns::name` */
  readonly fqn: string
  readonly policy: Policy
}

/** Whose dependencies are resolved: a package that is staged or run, or a stager. Policy documents call it a job. */
export interface PolicySubject {
  readonly namespace: string
  readonly name: string
}

/** `retire` claims do not apply to `run`: what is already staged still runs. */
export type Purpose = 'staging' | 'run'

/** A claim about resolution that applies to the subject. */
interface Rule {
  readonly target: Target
  readonly conditions: readonly Condition[]
  /** Depth of its realm below the root namespace: the nearer to the subject, the greater. */
  readonly depth: number
  /** `policydoc::/ns::name, line 3` */
  readonly where: string
}

type RuleSet = Readonly<Record<'allow' | 'default' | 'lock' | 'retire', readonly Rule[]>>

/**
 * The rules of all policy documents for one subject.
 *
 * LAWS
 * - A realm applies to its namespace and everything below. Claims are inherited; a child namespace cannot revoke them.
 * - Allow: if any allow rule applies to the subject, only packages that an allow rule covers are candidates.
 * - Lock: if several locks apply to a dependency, a candidate must satisfy all of them.
 * - Default: the nearest realm first; within a realm, in the order of document names and lines.
 *
 * @param policies in the order of their names
 */
export function subjectRules(policies: readonly NamedPolicy[], subject: PolicySubject, purpose: Purpose): Rules {
  const rules: Record<'allow' | 'default' | 'lock' | 'retire', Rule[]> = {
    allow: [],
    default: [],
    lock: [],
    retire: [],
  }
  for (const { fqn, policy } of policies)
    for (const statement of policy) {
      const { claim, realm, conditions } = statement
      if (!('target' in claim) || !appliesTo(realm, subject)) continue
      if (claim.kind === 'retire' && purpose === 'run') continue
      rules[claim.kind].push({
        target: claim.target,
        conditions,
        depth: depthOf(realm),
        where: whereOf(fqn, statement),
      })
    }
  rules.default.sort((a, b) => b.depth - a.depth)
  if (Object.values(rules).every((list) => list.length === 0)) return NO_RULES
  return { of: (dependency) => dependencyRules(rules, dependency) }
}

function dependencyRules(rules: RuleSet, dependency: Capability): DependencyRules | undefined {
  const applying = (list: readonly Rule[]) =>
    list.filter(({ conditions }) => conditions.every((condition) => holds(condition, dependency)))
  const [allow, defaults, lock, retire] = [rules.allow, rules.default, rules.lock, rules.retire].map(applying)
  if (!allow || !defaults || !lock || !retire) return undefined
  const restricted = rules.allow.length > 0
  if (!restricted && defaults.length + lock.length + retire.length === 0) return undefined
  const by = (list: readonly Rule[], candidate: Package) => list.find(({ target }) => covers(target, candidate))
  return {
    objection(candidate) {
      const retired = by(retire, candidate)
      if (retired) return `is retired by ${retired.where}`
      const other = lock.find(({ target }) => !covers(target, candidate))
      if (other)
        return `is not ${formatTarget(other.target)}, to which ${other.where} locks ${formatCapability(dependency)}`
      if (restricted && !by(allow, candidate)) return `is not allowed by ${places(rules.allow)}`
      return undefined
    },
    preference(candidate) {
      const rank = defaults.findIndex(({ target }) => covers(target, candidate))
      return rank < 0 ? Infinity : rank
    },
    preferredBy: (candidate) => by(defaults, candidate)?.where,
    lockedBy: (candidate) => by(lock, candidate)?.where,
  }
}

export function appliesTo(realm: Realm, { namespace, name }: PolicySubject): boolean {
  if (realm.kind !== 'job') return false
  return realm.name === undefined ? isWithin(namespace, realm.namespace) : isNamed(realm, namespace, name)
}

function isNamed(realm: Realm | Target, namespace: string, name: string): boolean {
  return realm.namespace === namespace && realm.name === name
}

/** A realm with a name is nearer than the realm of its namespace. */
function depthOf({ namespace, name }: Realm): number {
  return (namespace === '/' ? 0 : namespace.split('/').length) + (name === undefined ? 0 : 0.5)
}

function covers(target: Target, { namespace, name }: Package): boolean {
  return target.name === undefined ? isWithin(namespace, target.namespace) : isNamed(target, namespace, name)
}

/** `fqnMatch runtime.ruby` also matches more specific names: `runtime.ruby-2.1`, `runtime.ruby.jit`. */
function holds({ comparator, dependency: wanted }: Condition, dependency: Capability): boolean {
  if (sameCapability(wanted, dependency)) return true
  if (comparator === 'equals' || wanted.type !== dependency.type || !dependency.name.startsWith(wanted.name))
    return false
  return ['-', '.'].includes(dependency.name.charAt(wanted.name.length))
}

function formatTarget({ namespace, name }: Target): string {
  return name === undefined ? `in package::${namespace}` : `package::${namespace}::${name}`
}

function whereOf(fqn: string, { at }: Statement): string {
  return `${fqn}, line ${at.line}`
}

/** Names at most three rules. */
function places(rules: readonly Rule[]): string {
  const names = [...new Set(rules.map(({ where }) => where))]
  return names.length > 3 ? `${names.slice(0, 3).join('; ')} and ${names.length - 3} more` : names.join('; ')
}
