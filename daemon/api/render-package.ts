import { formatFqn } from '../../base/fqn.js'
import { renderManifest } from './render-manifest.js'
import type { Package, Resource } from '../packages/package.js'
import type { Verification } from '../store/verification-repository.js'
import type { Package as PackageDocument, Resource as ResourceDocument } from '../documents/package.js'

export function packageFqn(found: Pick<Package, 'namespace' | 'name'>): string {
  return formatFqn('package', found)
}

/** @param verified what is known of the content of its data */
export function renderPackage(found: Package, verified?: Verification): PackageDocument {
  return {
    uuid: found.uuid,
    fqn: packageFqn(found),
    namespace: found.namespace,
    name: found.name,
    state: found.state,
    ...(found.resource ? { resource: { ...renderResource(found.resource), ...renderVerification(verified) } } : {}),
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

function renderVerification(verified: Verification | undefined): Pick<ResourceDocument, 'verified_at' | 'damaged'> {
  if (!verified) return {}
  return { verified_at: verified.at.toISOString(), damaged: verified.damaged !== undefined }
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
