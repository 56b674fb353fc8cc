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
const LIST_BY_CODE: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.values(KINDS).map(({ code, list }) => [code, list])),
  'staging-not-found': '`stagectl staging list`',
}

export function seeList(kind: FqnKind): NamedKind {
  return KINDS[kind]
}

/** Adds the command that lists the names to a refusal of the daemon, which does not know the commands of the client. */
export function withList(code: string, detail: string): string {
  const list = LIST_BY_CODE[code]
  return list === undefined ? detail : `${detail.replace(/\.$/, '')}: see ${list}.`
}
