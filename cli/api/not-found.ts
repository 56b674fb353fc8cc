import type { FqnKind } from '../../base/fqn.js'

interface NamedKind {
  /** The code of the daemon when there is none of that name. */
  readonly code: string
  readonly noun: string
  /** The command that shows the names. */
  readonly list: string
}

const KINDS: Readonly<Record<FqnKind, NamedKind>> = {
  package: { code: 'package-not-found', noun: 'package', list: '`stagectl package list`' },
  job: { code: 'stager-not-found', noun: 'stager', list: '`stagectl stager list`' },
  stagpipe: { code: 'pipeline-not-found', noun: 'pipeline', list: '`stagectl pipeline list`' },
  policydoc: { code: 'policy-not-found', noun: 'policy document', list: '`stagectl policy list`' },
}

export function seeList(kind: FqnKind): NamedKind {
  return KINDS[kind]
}

/** What the daemon says when there is none of that name, with the command that shows the names. */
export const LISTS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.values(KINDS).map(({ code, list }) => [code, list])),
  'staging-not-found': '`stagectl staging list`',
  'webhook-not-found': '`stagectl webhook list`',
  'token-not-found': '`stagectl token list`',
}
