import type { Capability, CapabilityType } from '../../../../daemon/packages/metadata.js'
import type { Package } from '../../../../daemon/packages/package.js'

/**
 * Packages as text, one per line, in order of import: `name: provides <- dependencies`. The name may have a namespace
 * (`/prod/pkg::ruby`); without one, the namespace is `/`.
 */
export function packagesOf(text: string): Package[] {
  return linesOf(text).map(parsePackage)
}

export function capabilities(text: string): Capability[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const dot = word.indexOf('.')
      return { type: word.slice(0, dot) as CapabilityType, name: word.slice(dot + 1) }
    })
}

export function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

function parsePackage(line: string, importOrder: number): Package {
  const [, fullName = '', rest = ''] = /^(\S+):(?: (.*))?$/.exec(line) ?? []
  const [namespace, name] = fullName.includes('::') ? fullName.split('::') : ['/', fullName]
  const [provides = '', dependencies = ''] = rest.split('<-')
  return {
    uuid: `uuid-${fullName}`,
    namespace: namespace ?? '/',
    name: name ?? '',
    state: 'ready',
    usable: true,
    resource: undefined,
    importOrder,
    createdAt: '',
    updatedAt: '',
    environment: {},
    templates: [],
    provides: capabilities(provides),
    dependencies: capabilities(dependencies),
  }
}
