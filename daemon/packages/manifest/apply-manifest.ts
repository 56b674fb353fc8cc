import type { PackageMetadata, Template } from '../metadata.js'
import { withoutPlaces, type Manifest } from './manifest.js'

/** Metadata of a package, with the manifest that it was staged with. */
export interface WithManifest extends PackageMetadata {
  readonly manifest?: Manifest | undefined
}

/** What `found` says in `field`, for comparisons: the places of a manifest are no part of what it says. */
export function stated(found: WithManifest, field: keyof WithManifest): unknown {
  return field === 'manifest' ? found.manifest && withoutPlaces(found.manifest) : found[field]
}

/** Undefined for a manifest that says nothing. */
export function keptManifest(manifest: Manifest): Manifest | undefined {
  return Object.keys(manifest).length === 0 ? undefined : manifest
}

/** `manifest` with the start command of `environment`, which goes over its own. */
export function withStartCommandOf(environment: Readonly<Record<string, string>>, manifest: Manifest): Manifest {
  const { START_COMMAND } = environment
  return START_COMMAND ? { ...manifest, start_cmd: START_COMMAND } : manifest
}

/**
 * The metadata with which a staging begins. Variables and templates of the manifest before, which the new one does not
 * have, are gone, unless somebody has changed them.
 */
export function withManifest(before: WithManifest, manifest: Manifest): WithManifest {
  const earlier = before.manifest ?? {}
  const variables = variablesOf(earlier)
  const kept = Object.entries(before.environment).filter(([key, value]) => variables.get(key) !== value)
  return {
    provides: before.provides,
    dependencies: manifest.package_dependencies ?? before.dependencies,
    environment: Object.fromEntries([...kept, ...variablesOf(manifest)]),
    templates: [
      ...before.templates.filter(
        (one) => ![...(earlier.templates ?? []), ...(manifest.templates ?? [])].some(sameTemplate(one)),
      ),
      ...(manifest.templates ?? []),
    ],
    manifest: keptManifest(manifest),
  }
}

/** The start command of a manifest goes over that of the stagers, also in the package that they make. */
export function withOwnStartCommand<Work extends WithManifest>(work: Work): Work {
  const command = work.manifest?.start_cmd
  if (command === undefined) return work
  return { ...work, environment: { ...work.environment, START_COMMAND: command } }
}

function variablesOf({ env = {}, start_cmd }: Manifest): ReadonlyMap<string, string> {
  const variables = new Map(Object.entries(env))
  return start_cmd === undefined ? variables : variables.set('START_COMMAND', start_cmd)
}

export function sameTemplate(one: Template): (other: Template) => boolean {
  return (other) =>
    one.path === other.path &&
    one.left_delimiter === other.left_delimiter &&
    one.right_delimiter === other.right_delimiter
}
