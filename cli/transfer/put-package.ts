import { Conflict } from '../../base/errors.js'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Package, PackageChange, PackageDraft } from '../../daemon/documents/package.js'
import type { Stager } from '../../daemon/documents/stager.js'
import { packagePath } from '../api/paths.js'
import type { Session } from '../session/session.js'

export interface PackageContents {
  /** SHA-256 of a resource that is uploaded. */
  readonly resource: string
  readonly state: 'uploaded' | 'ready'
  /** Undefined: none for a new package, those that it has for an old one. */
  readonly dependencies: readonly Capability[] | undefined
  /** Put over what an old package has. */
  readonly environment: Readonly<Record<string, string>> | undefined
}

/** The package of that name, if there is one. Throws `Conflict` (`package-busy`) while a staging has it. */
export async function findReplaceable(session: Session, fqn: string): Promise<Package | undefined> {
  const found = await session.api.find<Package>(packagePath(fqn), { signal: session.signal })
  if (found?.state === 'staging')
    throw new Conflict(
      'package-busy',
      `${fqn} is being staged: wait for that, or cancel it (see \`stagectl staging list\`).`,
    )
  return found
}

/**
 * Throws `Conflict` (`package-of-stager`) when a stager's program is in the package: a source directory of the same name
 * must not take its place by mistake.
 */
export async function assertNoProgram(session: Session, found: Package): Promise<void> {
  const stagers = await session.api.get<Stager[]>('/v1/stagers', { signal: session.signal })
  const stager = stagers.find((one) => one.package === found.fqn)
  if (stager)
    throw new Conflict(
      'package-of-stager',
      `${found.fqn} holds the program of ${stager.fqn}: take another name with --name, or change the stager with \`stagectl stager update\`.`,
    )
}

/** Makes a package, or gives an old one new data, so that doing the same again just works. */
export async function putPackage(
  session: Session,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  before: Package | undefined,
  { resource, state, dependencies, environment }: PackageContents,
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
    }
    return await api.post<Package>('/v1/packages', draft, { signal })
  }
  const path = packagePath(before.uuid)
  // First what may be refused: then the data is not touched either.
  const change = changeOf(before, dependencies, environment)
  if (Object.keys(change).length > 0) await api.patch<Package>(path, change, { signal })
  return await api.put<Package>(`${path}/resource`, { resource, state }, { signal })
}

function changeOf(
  before: Package,
  dependencies: PackageContents['dependencies'],
  environment: PackageContents['environment'],
): PackageChange {
  const has = (list: readonly Capability[], one: Capability) =>
    list.some(({ type, name }) => type === one.type && name === one.name)
  const added = dependencies?.filter((one) => !has(before.dependencies, one)) ?? []
  // Two versions of one runtime do not stand side by side: what is asked for now takes the place of what was before.
  const removed = dependencies ? before.dependencies.filter((one) => !has(dependencies, one)) : []
  return {
    ...(added.length > 0 ? { dependencies_add: added } : {}),
    ...(removed.length > 0 ? { dependencies_remove: removed } : {}),
    ...(environment && Object.keys(environment).length > 0 ? { environment_set: { ...environment } } : {}),
  }
}
