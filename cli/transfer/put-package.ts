import { Conflict } from '../../base/errors.js'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Package, PackageChange, PackageDraft } from '../../daemon/documents/package.js'
import type { Stager } from '../../daemon/documents/stager.js'
import { packagePath } from '../api/paths.js'
import type { Session } from '../session/session.js'

export interface PackageContents {
  /** SHA-256 of an uploaded resource. */
  readonly resource: string
  readonly state: 'uploaded' | 'ready'
  /** Undefined: none for a new package, unchanged for an existing one. */
  readonly dependencies: readonly Capability[] | undefined
  /** Merged into the environment of an existing package. */
  readonly environment: Readonly<Record<string, string>> | undefined
  readonly manifest?: ManifestContents | undefined
}

/** The manifest of a package, which gives it what the other contents do not. */
export interface ManifestContents {
  /** Empty for none. */
  readonly text: string
  readonly dependencies: readonly Capability[] | undefined
}

/** Finds a package by name. Throws `Conflict` (`package-busy`) while a staging uses it. */
export async function findReplaceable(session: Session, fqn: string): Promise<Package | undefined> {
  const found = await session.api.find<Package>(packagePath(fqn), { signal: session.signal })
  if (found?.state === 'staging')
    throw new Conflict(
      'package-busy',
      `${fqn} is being staged: wait for the staging, or cancel it (see \`stagectl staging list\`).`,
    )
  return found
}

/** For `assertNoProgram`. */
export async function listStagers({ api, signal }: Session): Promise<Stager[]> {
  return await api.get<Stager[]>('/v1/stagers', { signal })
}

/**
 * Throws `Conflict` (`package-of-stager`) when the package holds the program of a stager: a source directory of the
 * same name must not replace it by accident.
 */
export function assertNoProgram(found: Package, stagers: readonly Stager[]): void {
  const stager = stagers.find((one) => one.package === found.fqn)
  if (stager)
    throw new Conflict(
      'package-of-stager',
      `${found.fqn} holds the program of ${stager.fqn}: choose another name with --name, or change the stager with \`stagectl stager update\`.`,
    )
}

/** Creates a package, or replaces the data of an existing one, so that a command can be repeated. */
export async function putPackage(
  session: Session,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  before: Package | undefined,
  { resource, state, dependencies, environment, manifest }: PackageContents,
): Promise<Package> {
  const { api, signal } = session
  if (!before) {
    const draft: PackageDraft = {
      namespace,
      name,
      resource,
      state,
      ...(dependencies ? { dependencies: [...dependencies] } : {}),
      ...(environment ? { environment: { ...environment } } : {}),
      ...(manifest ? { manifest: manifest.text } : {}),
    }
    return await api.post<Package>('/v1/packages', draft, { signal })
  }
  const path = packagePath(before.uuid)
  // The metadata goes first: if the daemon rejects it, the data stays unchanged.
  const change = changeOf(before, dependencies ?? manifest?.dependencies, environment, manifest)
  if (Object.keys(change).length > 0) await api.patch<Package>(path, change, { signal })
  return await api.put<Package>(`${path}/resource`, { resource, state }, { signal })
}

function changeOf(
  before: Package,
  dependencies: PackageContents['dependencies'],
  environment: PackageContents['environment'],
  manifest: ManifestContents | undefined,
): PackageChange {
  const has = (list: readonly Capability[], one: Capability) =>
    list.some(({ type, name }) => type === one.type && name === one.name)
  const added = dependencies?.filter((one) => !has(before.dependencies, one)) ?? []
  // The new dependencies replace the old ones: otherwise a package could depend on two versions of a runtime.
  const there = [...before.dependencies, ...(manifest?.dependencies ?? [])]
  const removed = dependencies ? there.filter((one) => !has(dependencies, one)) : []
  return {
    ...(added.length > 0 ? { dependencies_add: added } : {}),
    ...(removed.length > 0 ? { dependencies_remove: removed } : {}),
    ...(environment && Object.keys(environment).length > 0 ? { environment_set: { ...environment } } : {}),
    ...(manifest ? { manifest: manifest.text } : {}),
  }
}
