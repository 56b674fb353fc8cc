import type { Policy, PolicyVersion } from '../../daemon/documents/policy.js'
import { field } from './describe-package.js'

/** The metadata of a document, its versions, and the text of the latest version. */
export function describePolicy(document: Policy, versions: readonly PolicyVersion[]): string {
  return [
    `Policy: ${document.name}`,
    `FQN: ${document.fqn}`,
    `UUID: ${document.uuid}`,
    ...field(
      'Versions',
      versions.map(({ version, created_at }) => `${version}, put ${created_at}`),
    ),
    '',
    document.text.trimEnd(),
  ].join('\n')
}
