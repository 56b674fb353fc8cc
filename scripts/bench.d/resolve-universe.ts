import type { Capability, CapabilityType } from '../../daemon/packages/metadata.js'
import type { Package } from '../../daemon/packages/package.js'

const COMPONENTS = 200
const VERSIONS = 3

/**
 * Generates packages: families of 200 components, each in three versions, of which the oldest is imported first. A
 * component depends on the previous one, on two random earlier ones, and on Linux. The closure of the last component of
 * a family therefore contains all its components and an operating system. The result is deterministic.
 */
export function universeOf(size: number): Package[] {
  const packages: Package[] = []
  const add = (name: string, provides: string[], dependencies: string[]) =>
    packages.push(packageOf(packages.length + 1, name, provides, dependencies))
  add('busybox', ['os.linux', 'os.busybox'], [])
  add('debian-12', ['os.linux', 'os.debian', 'os.debian-12'], [])
  const random = pseudoRandom(42)
  for (let family = 0; packages.length < size; family++)
    for (let part = 0; part < COMPONENTS; part++)
      for (let version = 1; version <= VERSIONS && packages.length < size; version++) {
        const name = `package.f${family}-c${part}`
        const below = part === 0 ? [] : [part - 1, Math.floor(random() * part), Math.floor(random() * part)]
        const components = [...new Set(below)].map((each) => `package.f${family}-c${each}`)
        add(
          `f${family}-c${part}-${version}`,
          [name, `${name}-${version}`, `file./f${family}/${part}/${version}`],
          [...components, 'os.linux'],
        )
      }
  return packages
}

/** A dependency on the last component of a family, whose closure contains all its components. */
export function topOf(family: number): Capability[] {
  return [capability(`package.f${family}-c${COMPONENTS - 1}`)]
}

/** Dependencies on Linux, for which busybox is the first candidate, and then on Debian, which rules busybox out. */
export function conflictingTopOf(family: number): Capability[] {
  return [capability('os.linux'), ...topOf(family), capability('os.debian-12')]
}

function packageOf(importOrder: number, name: string, provides: string[], dependencies: string[]): Package {
  return {
    uuid: `00000000-0000-4000-8000-${String(importOrder).padStart(12, '0')}`,
    namespace: '/bench',
    name,
    state: 'ready',
    usable: true,
    resource: undefined,
    importOrder,
    createdAt: '2024-01-01T00:00:00.000Z',
    updatedAt: '2024-01-01T00:00:00.000Z',
    environment: {},
    templates: [],
    provides: provides.map(capability),
    dependencies: dependencies.map(capability),
  }
}

function capability(text: string): Capability {
  const dot = text.indexOf('.')
  return { type: text.slice(0, dot) as CapabilityType, name: text.slice(dot + 1) }
}

/** Mulberry32: deterministic on every host. */
function pseudoRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
