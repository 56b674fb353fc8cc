import type { Capability } from '../../daemon/documents/capability.js'
import type { Package } from '../../daemon/documents/package.js'
import { formatBytes } from './progress.js'

/** The format of `apc package show`: further values of a field follow on lines of their own. */
export function describePackage(document: Package): string {
  const { resource } = document
  return [
    `Package: ${document.name}`,
    `FQN: ${document.fqn}`,
    `UUID: ${document.uuid}`,
    `State: ${document.state}`,
    ...field('Version', document.version === undefined ? [] : [document.version]),
    ...field('Description', document.description?.split('\n') ?? []),
    ...field('Dependencies', document.dependencies.map(spaced)),
    ...field('Provides', document.provides.map(spaced)),
    ...field('Environment', assignments(document.environment)),
    ...field(
      'Templates',
      document.templates.map((template) => `${template.path} (${template.left_delimiter} ${template.right_delimiter})`),
    ),
    ...(resource
      ? [
          `Data: ${formatBytes(resource.length)}, compression ${resource.compression}`,
          ...field('Digest', [resource.digest, ...(resource.sha1 === undefined ? [] : [resource.sha1])]),
          ...(resource.damaged === true ? ['Damaged: its content is not what was stored; upload it again'] : []),
          ...(resource.verified_at === undefined ? [] : [`Verified: ${resource.verified_at}`]),
        ]
      : ['Data: none yet']),
    ...(resource && resource.removals > 0 ? [`Removes: ${resource.removals} path(s) of its dependencies`] : []),
    `Updated: ${document.updated_at}`,
  ].join('\n')
}

/** `Name: first`, then each further value on an indented line. Empty without values. */
export function field(name: string, values: readonly string[]): string[] {
  return values.map((value, index) => (index === 0 ? `${name}: ${value}` : `  ${value}`))
}

/** `KEY="value"` for each variable. */
export function assignments(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
}

function spaced({ type, name }: Capability): string {
  return `${type}: ${name}`
}

/** `type.name`, as on the command line. */
export function dotted({ type, name }: Capability): string {
  return `${type}.${name}`
}
