import { BadInput } from '../../base/errors.js'
import { formatFqn, parseFqn, type FqnKind } from '../../base/fqn.js'
import { decodeRemovalPath, encodeRemovalPath } from '../../isolation/removal-path.js'
import { assertManifest } from '../packages/manifest/assert-manifest.js'
import { applyMetadataFields } from '../packages/metadata-fields.js'
import { canonicalSigns } from '../packages/detection/sign-pattern.js'
import { parseLimits } from '../documents/convert-limits.js'
import { assertCommand, assertMetadata, assertUser, canonicalTemplate } from '../packages/validate.js'
import { assertSecretNames } from '../secrets/rules.js'
import type { Name, PipelineOfSet, StagerOfSet } from '../store/exchange-repository.js'
import type { PackageDraft } from '../store/repositories.js'
import type { Manifest, PackageEntry, StagerEntry } from './manifest.js'

/** A package to import, whose resource is still in the file. */
export interface PendingPackage {
  readonly draft: Omit<PackageDraft, 'resource'>
  readonly resource: PendingResource
}

export interface PendingResource {
  /** Name in the ZIP file. */
  readonly file: string
  /** Undefined where the file does not say. */
  readonly expected: { readonly sha256?: string; readonly sha1?: string; readonly length?: number }
  readonly removals: PackageEntry['resource']['removals']
}

export interface ImportSet {
  readonly packages: readonly PendingPackage[]
  readonly stagers: readonly StagerOfSet[]
  readonly pipelines: readonly PipelineOfSet[]
}

/**
 * The content of a manifest, with the same checks as for requests of the API.
 *
 * With `namespace`, everything moves there, with the references to it; references to what is not in the file stay as
 * they are.
 *
 * Throws `BadInput`.
 */
export function importSetOf(manifest: Manifest, namespace: string | undefined): ImportSet {
  const inFile = new Set([...manifest.packages, ...manifest.stagers, ...manifest.pipelines].map(({ fqn }) => fqn))
  const place = (text: string, kind: FqnKind): Name => {
    const fqn = parseFqn(text, kind, '/')
    const moved = namespace !== undefined && inFile.has(formatFqn(kind, fqn))
    return { namespace: moved ? namespace : fqn.namespace, name: fqn.name }
  }
  assertDistinct(
    'package',
    manifest.packages.map(({ fqn }) => place(fqn, 'package')),
  )
  assertDistinct(
    'job',
    manifest.stagers.map(({ fqn }) => place(fqn, 'job')),
  )
  assertDistinct(
    'stagpipe',
    manifest.pipelines.map(({ fqn }) => place(fqn, 'stagpipe')),
  )
  return {
    packages: manifest.packages.map((entry) => pendingPackage(entry, place(entry.fqn, 'package'))),
    stagers: manifest.stagers.map((entry) => ({
      ...pendingStager(entry, place(entry.fqn, 'job')),
      program: place(entry.package, 'package'),
    })),
    pipelines: manifest.pipelines.map(({ fqn, stagers, signs = [] }) => ({
      ...place(fqn, 'stagpipe'),
      stagers: stagers.map((stager) => place(stager, 'job')),
      signs: canonicalSigns(signs),
    })),
  }
}

function pendingPackage(entry: PackageEntry, name: Name): PendingPackage {
  const { version, description, recipe, manifest, templates, resource } = entry
  assertMetadata(entry)
  if (manifest) assertManifest(manifest)
  const removals = resource.removals.map((one) => ({ ...one, path: encodeRemovalPath(decodeRemovalPath(one)) }))
  return {
    draft: {
      ...name,
      ...applyMetadataFields({ templates: templates.map(canonicalTemplate) }, additions(entry)),
      ...(version === undefined ? {} : { version }),
      ...(description === undefined ? {} : { description }),
      ...(recipe === undefined ? {} : { recipe }),
      ...(manifest === undefined ? {} : { manifest }),
      state: entry.state,
    },
    resource: {
      file: resource.file,
      expected: {
        sha256: resource.digest.slice('sha256:'.length),
        ...(resource.sha1 === undefined ? {} : { sha1: resource.sha1.slice('sha1:'.length) }),
        length: resource.length,
      },
      removals,
    },
  }
}

function pendingStager(entry: StagerEntry, name: Name): Omit<StagerOfSet, 'program'> {
  assertCommand(entry.start_command)
  assertUser(entry.user)
  assertSecretNames(entry.secrets ?? [])
  const { dependencies, environment } = applyMetadataFields({}, additions({ ...entry, provides: [] }))
  return {
    ...name,
    startCommand: entry.start_command,
    additive: entry.additive,
    egress: entry.allow_egress,
    reproducible: entry.reproducible ?? false,
    cleanEnvironment: entry.clean_environment ?? false,
    secrets: entry.secrets ?? [],
    user: entry.user,
    limits: parseLimits(entry.limits),
    dependencies,
    expects: applyMetadataFields({}, { dependencies_add: entry.expects ?? [] }).dependencies,
    labels: entry.labels ?? [],
    environment,
  }
}

/** In the form of a change of metadata, which drops duplicates and enforces the limits. */
function additions({
  provides,
  dependencies,
  environment,
}: Pick<PackageEntry, 'provides' | 'dependencies' | 'environment'>) {
  return { provides_add: provides, dependencies_add: dependencies, environment_set: environment }
}

function assertDistinct(kind: FqnKind, names: readonly Name[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    const fqn = formatFqn(kind, name)
    if (seen.has(fqn))
      throw new BadInput(
        'same-name-twice',
        `The import would create ${fqn} twice: import the file without -o, into the namespaces that it names.`,
      )
    seen.add(fqn)
  }
}
