import { Refused, Unresolved } from '../../../../base/errors.js'
import { subjectRules } from '../../../../daemon/packages/policy/subject-rules.js'
import { parsePolicy } from '../../../../daemon/packages/policy/parse-policy.js'
import { PackageIndex } from '../../../../daemon/packages/resolution/package-index.js'
import { resolve, type Resolution } from '../../../../daemon/packages/resolve.js'
import { capabilities, packagesOf } from './packages-as-text.js'

export interface Case {
  readonly what: string
  readonly wanted: string
  readonly packages: string
  readonly policy?: string
  /** The namespace of the subject `my-app`; `/` when omitted. */
  readonly namespace?: string
}

export function answer({ wanted, packages, policy = '', namespace = '/' }: Case): Resolution {
  const policies = [{ fqn: 'policydoc::/::rules', policy: parsePolicy(policy) }]
  return resolve({
    subject: 'my-app',
    dependencies: capabilities(wanted),
    index: new PackageIndex(packagesOf(packages)),
    rules: subjectRules(policies, { namespace, name: 'my-app' }, 'staging'),
  })
}

/** The names of the closure from the operating system upward, or the error. */
export function outcome(question: Case): string {
  try {
    return answer(question)
      .packages.map(({ name }) => name)
      .join(' ')
  } catch (error) {
    if (error instanceof Unresolved) return `unresolved: ${error.message}`
    if (error instanceof Refused) return `policy: ${error.message}`
    throw error
  }
}

export const RUBIES = `
  debian:   os.linux os.debian
  ruby-2.0: runtime.ruby runtime.ruby-2.0 <- os.linux
  ruby-2.1: runtime.ruby runtime.ruby-2.1 <- os.linux
  /prod/pkg::ruby-2.2: runtime.ruby runtime.ruby-2.2 <- os.linux`
