import type { Capability } from '../metadata.js'
import { formatCapability, sameCapability } from '../capability.js'
import type { Package } from '../package.js'
import { NO_RULES, type DependencyRules, type Rules } from '../resolution/rules.js'
import { isWithin, type Condition, type Policy, type Realm, type Statement, type Target } from './policy.js'

/** A document as the rules need it: to name it where it decides something. */
export interface NamedPolicy {
  /** `policydoc::/ns::name` */
  readonly fqn: string
  readonly policy: Policy
}

/** Who resolves: a package that is staged or run, or a stager. */
export interface PolicySubject {
  readonly namespace: string
  readonly name: string
}

/** What is staged already is untouched by what has been retired since. */
export type Purpose = 'staging' | 'run'

/** A claim about resolution, ready to be asked. */
interface Rule {
  readonly target: Target
  readonly conditions: readonly Condition[]
  /** How far from the root its realm is: the nearer to the job, the greater. */
  readonly depth: number
  /** `policydoc::/ns::name, line 3` */
  readonly where: string
}

type RuleSet = Readonly<Record<'allow' | 'default' | 'lock' | 'retire', readonly Rule[]>>

/**
 * What all policy documents together say to one job.
 *
 * LAWS
 * - A realm speaks for its namespace and all below it; claims are inherited, and a child takes none of them back.
 * - Allow: as soon as any allow rule stands on the job's path, a package serves only where one covers it.
 * - Lock: where several locks speak of a dependency, a package has to be named by all of them.
 * - Default: that of the nearest realm first; within a realm, in the order of the documents' names and of their lines.
 *
 * @param policies in the order of their names
 */
export function subjectRules(policies: readonly NamedPolicy[], job: PolicySubject, purpose: Purpose): Rules {
  const rules: Record<'allow' | 'default' | 'lock' | 'retire', Rule[]> = {
    allow: [],
    default: [],
    lock: [],
    retire: [],
  }
  for (const { fqn, policy } of policies)
    for (const statement of policy) {
      const { claim, realm, conditions } = statement
      if (!('target' in claim) || !speaksFor(realm, job)) continue
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
      if (restricted && !by(allow, candidate)) return `is not among what ${places(rules.allow)} allows`
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

export function speaksFor(realm: Realm, { namespace, name }: PolicySubject): boolean {
  if (realm.kind !== 'job') return false
  return realm.name === undefined ? isWithin(namespace, realm.namespace) : isThis(realm, namespace, name)
}

function isThis(realm: Realm | Target, namespace: string, name: string): boolean {
  return realm.namespace === namespace && realm.name === name
}

/** A realm of one job is nearer than that of its namespace. */
function depthOf({ namespace, name }: Realm): number {
  return (namespace === '/' ? 0 : namespace.split('/').length) + (name === undefined ? 0 : 0.5)
}

function covers(target: Target, { namespace, name }: Package): boolean {
  return target.name === undefined ? isWithin(namespace, target.namespace) : isThis(target, namespace, name)
}

/** `fqnMatch runtime.ruby` also holds for what refines it: `runtime.ruby-2.1`, `runtime.ruby.jit`. */
function holds({ comparator, dependency: wanted }: Condition, dependency: Capability): boolean {
  if (sameCapability(wanted, dependency)) return true
  if (comparator === 'equals' || wanted.type !== dependency.type || !dependency.name.startsWith(wanted.name))
    return false
  return ['-', '.'].includes(dependency.name.charAt(wanted.name.length))
}

function formatTarget({ namespace, name }: Target): string {
  return name === undefined ? `of package::${namespace}` : `package::${namespace}::${name}`
}

function whereOf(fqn: string, { at }: Statement): string {
  return `${fqn}, line ${at.line}`
}

/** A few are enough to know where to look. */
function places(rules: readonly Rule[]): string {
  const names = [...new Set(rules.map(({ where }) => where))]
  return names.length > 3 ? `${names.slice(0, 3).join('; ')} and ${names.length - 3} more` : names.join('; ')
}
