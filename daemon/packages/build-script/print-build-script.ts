import type { Capability } from '../metadata.js'
import type { BuildScript, Source } from './build-script.js'
import { writeBody, writeQuoted } from './texts.js'

/** A build script that parses to the same. Its body must not have a line that begins with `)`: no script can say that. */
export function printBuildScript(script: BuildScript): string {
  const lines = [
    ...text('name', script.name),
    ...text('namespace', script.namespace),
    ...text('version', script.version),
    ...text('description', script.description),
    ...list('sources', script.sources.map(source)),
    ...list('include_files', script.includeFiles.map(writeQuoted)),
    ...list('build_depends', script.buildDepends.map(capability)),
    ...list('depends', script.depends.map(capability)),
    ...list('provides', script.provides.map(capability)),
    ...environment(script.environment),
    ...list('cleanup', script.cleanup.map(writeQuoted)),
    ...text('snapshot_path', script.snapshotPath),
    ...(script.image === undefined ? [`build ${writeBody(script.build)}`] : text('image', script.image)),
  ]
  return `${lines.join('\n')}\n`
}

function text(key: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${key}: ${writeQuoted(value)}`]
}

function list(key: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`${key} [`, ...items.map((item) => `  ${item},`), ']']
}

function environment(variables: BuildScript['environment']): string[] {
  const entries = Object.entries(variables).map(([key, value]) => `  ${writeQuoted(key)}: ${writeQuoted(value)},`)
  return entries.length === 0 ? [] : ['environment {', ...entries, '}']
}

function capability({ type, name }: Capability): string {
  return `{ ${type}: ${writeQuoted(name)} }`
}

function source({ url, sha256, sha1 }: Source): string {
  return `{ ${[...text('url', url), ...text('sha256', sha256), ...text('sha1', sha1)].join(', ')} }`
}
