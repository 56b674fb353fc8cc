import type { Capability } from '../metadata.js'
import type { BuildScript, Source } from './build-script.js'
import { printBody, printString } from './strings.js'

/** Prints a script that parses to the same value. No line of the body may begin with `)`: that would close the body. */
export function printBuildScript(script: BuildScript): string {
  const lines = [
    ...string('name', script.name),
    ...string('namespace', script.namespace),
    ...string('version', script.version),
    ...string('description', script.description),
    ...list('sources', script.sources.map(source)),
    ...list('include_files', script.includeFiles.map(printString)),
    ...list('build_depends', script.buildDepends.map(capability)),
    ...list('depends', script.depends.map(capability)),
    ...list('provides', script.provides.map(capability)),
    ...environment(script.environment),
    ...list('cleanup', script.cleanup.map(printString)),
    ...string('snapshot_path', script.snapshotPath),
    ...(script.image === undefined ? [`build ${printBody(script.build)}`] : string('image', script.image)),
  ]
  return `${lines.join('\n')}\n`
}

function string(key: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${key}: ${printString(value)}`]
}

function list(key: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`${key} [`, ...items.map((item) => `  ${item},`), ']']
}

function environment(variables: BuildScript['environment']): string[] {
  const entries = Object.entries(variables).map(([key, value]) => `  ${printString(key)}: ${printString(value)},`)
  return entries.length === 0 ? [] : ['environment {', ...entries, '}']
}

function capability({ type, name }: Capability): string {
  return `{ ${type}: ${printString(name)} }`
}

function source({ url, sha256, sha1 }: Source): string {
  return `{ ${[...string('url', url), ...string('sha256', sha256), ...string('sha1', sha1)].join(', ')} }`
}
