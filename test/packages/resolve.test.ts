import { describe, expect, it } from 'vitest'
import { Unresolved } from '../../base/errors.js'
import type { Capability, CapabilityType } from '../../daemon/packages/metadata.js'
import type { Package } from '../../daemon/packages/package.js'
import { resolve, Universe } from '../../daemon/packages/resolve.js'

/** A universe as text, in order of import: `name: what it provides <- what it depends on`. */
function universe(text: string): Universe {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return new Universe(lines.map(parsePackage))
}

function parsePackage(line: string, importOrder: number): Package {
  const [name = '', rest = ''] = line.split(':').map((part) => part.trim())
  const [provides = '', dependencies = ''] = rest.split('<-')
  return {
    uuid: `uuid-${name}`,
    namespace: '/',
    name,
    state: 'ready',
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

function capabilities(text: string): Capability[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const dot = word.indexOf('.')
      return { type: word.slice(0, dot) as CapabilityType, name: word.slice(dot + 1) }
    })
}

function closure(wanted: string, packages: string): string {
  return resolve('my-app', capabilities(wanted), universe(packages))
    .packages.map(({ name }) => name)
    .join(' ')
}

function refusal(wanted: string, packages: string): string {
  try {
    return `resolved to ${closure(wanted, packages)}`
  } catch (error) {
    if (error instanceof Unresolved) return error.message
    throw error
  }
}

describe('resolution', () => {
  const cases: { what: string; wanted: string; packages: string; closure: string }[] = [
    { what: 'nothing needed', wanted: '', packages: 'debian: os.linux', closure: '' },
    {
      what: 'a chain, operating system first',
      wanted: 'runtime.ruby',
      packages: `
        ruby: runtime.ruby <- os.ubuntu
        ubuntu: os.linux os.ubuntu`,
      closure: 'ubuntu ruby',
    },
    {
      what: 'a tie goes to the first imported',
      wanted: 'os.linux',
      packages: `
        busybox: os.linux
        debian: os.linux`,
      closure: 'busybox',
    },
    {
      what: 'a diamond is entered once',
      wanted: 'package.left package.right',
      packages: `
        debian: os.linux
        libc: package.libc <- os.linux
        left: package.left <- package.libc
        right: package.right <- package.libc`,
      closure: 'debian libc left right',
    },
    {
      what: 'two descriptions of the operating system end in one',
      wanted: 'os.linux os.debian-12',
      packages: `
        busybox: os.linux
        debian: os.linux os.debian-12`,
      closure: 'debian',
    },
    {
      what: 'a candidate whose own needs have no solution is given up for the next',
      wanted: 'runtime.node',
      packages: `
        debian: os.debian
        node-22: runtime.node <- os.plan9
        node-20: runtime.node <- os.debian`,
      closure: 'debian node-20',
    },
    {
      what: 'what is chosen already serves again, though another was imported first',
      wanted: 'runtime.ruby-2.0 runtime.ruby',
      packages: `
        ruby-1.9: runtime.ruby
        ruby-2.0: runtime.ruby runtime.ruby-2.0`,
      closure: 'ruby-2.0',
    },
    {
      what: 'a circle is avoided where there is a way around it',
      wanted: 'package.a',
      packages: `
        a: package.a <- package.b
        b: package.b <- package.a
        c: package.b`,
      closure: 'c a',
    },
  ]
  it.each(cases)('$what', ({ wanted, packages, closure: expected }) => {
    expect(closure(wanted, packages)).toBe(expected)
  })

  it('tells why each dependency was served as it was', () => {
    const { decisions } = resolve(
      'my-app',
      capabilities('runtime.ruby os.linux'),
      universe(`
        debian: os.linux os.debian
        ubuntu: os.linux
        ruby: runtime.ruby <- os.debian`),
    )
    expect(decisions.map(({ dependency, taken, because }) => `${dependency.name}: ${taken}, ${because}`)).toEqual([
      'ruby: package::/::ruby, the only candidate',
      'debian: package::/::debian, the only candidate',
      'linux: package::/::debian, already chosen',
    ])
  })
})

describe('a failed resolution', () => {
  it('names the gap, and who needs it', () => {
    expect(refusal('runtime.ruby', 'ruby: runtime.ruby <- package.gone')).toBe(
      'The dependencies of my-app (runtime.ruby) cannot be resolved:\n' +
        '  - nothing provides package.gone, which package::/::ruby needs: import a package that does',
    )
  })

  it('names the circle', () => {
    const packages = `
      a: package.a <- package.b
      b: package.b <- package.a`
    expect(refusal('package.a', packages)).toContain(
      'package::/::a depends on itself: package::/::a -> package::/::b -> package::/::a',
    )
  })

  it('names the two operating systems', () => {
    const packages = `
      busybox: os.busybox
      debian: os.debian`
    expect(refusal('os.busybox os.debian', packages)).toContain(
      'package::/::debian provides os.debian, which my-app needs, but package::/::busybox is the operating system already, and there can be only one',
    )
  })
})
