import { formatFqn } from '../../base/fqn.js'
import { renderManifest } from './render-manifest.js'
import type { Package, Resource } from '../packages/package.js'
import type { Package as PackageDocument, Resource as ResourceDocument } from '../documents/package.js'

export function packageFqn(found: Pick<Package, 'namespace' | 'name'>): string {
  return formatFqn('package', found)
}

export function renderPackage(found: Package): PackageDocument {
  return {
    uuid: found.uuid,
    fqn: packageFqn(found),
    namespace: found.namespace,
    name: found.name,
    state: found.state,
    ...(found.resource ? { resource: renderResource(found.resource) } : {}),
    dependencies: [...found.dependencies],
    provides: [...found.provides],
    environment: found.environment,
    templates: [...found.templates],
    ...(found.version === undefined ? {} : { version: found.version }),
    ...(found.description === undefined ? {} : { description: found.description }),
    ...(found.manifest === undefined ? {} : { manifest: renderManifest(found.manifest) }),
    created_at: found.createdAt,
    updated_at: found.updatedAt,
  }
}

export function renderResource({ uuid, sha256, sha1, length, compression, removals }: Resource): ResourceDocument {
  return {
    uuid,
    digest: `sha256:${sha256}`,
    ...(sha1 === undefined ? {} : { sha1: `sha1:${sha1}` }),
    length,
    compression,
    removals: removals.length,
  }
}
