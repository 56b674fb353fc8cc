import type { Result as ResultDocument, ResultDiff as DiffDocument } from '../documents/result.js'
import { isState, type Result } from '../model/result.js'
import type { Package } from '../packages/package.js'
import { textOf, type EntryChange } from '../results/compare-entries.js'
import type { ResultDiff } from '../results/result-diff.js'
import { renderManifest } from './render-manifest.js'
import { packageFqn, renderResource } from './render-package.js'

/** @param found the package as it is */
export function renderResult({ number, origin, content, making, createdAt }: Result, found: Package): ResultDocument {
  return {
    number,
    current: isState(content, found),
    origin: origin.kind,
    ...(origin.kind === 'staging'
      ? {
          staging: origin.staging,
          pipeline: origin.pipeline,
          ...(origin.reused === undefined ? {} : { reused: origin.reused }),
        }
      : {}),
    ...(origin.kind === 'rollback' ? { rollback_to: origin.to } : {}),
    resource: renderResource(content.resource),
    ...(making ? { source: renderResource(making.input.resource) } : {}),
    dependencies: [...content.dependencies],
    provides: [...content.provides],
    environment: content.environment,
    templates: [...content.templates],
    ...(content.manifest === undefined ? {} : { manifest: renderManifest(content.manifest) }),
    created_at: createdAt,
  }
}

export function renderResultDiff(diff: ResultDiff): DiffDocument {
  return {
    package: packageFqn(diff.package),
    from: diff.from,
    ...(diff.to === undefined ? {} : { to: diff.to }),
    ...diff.counts,
    changes: diff.changes.map(renderChange),
    truncated: diff.truncated,
    package_metadata: [...diff.packageMetadata],
  }
}

function renderChange({ change, path, fields, before, after }: EntryChange): DiffDocument['changes'][number] {
  return {
    change,
    path,
    fields: [...fields],
    ...(before ? { before: renderEntry(before) } : {}),
    ...(after ? { after: renderEntry(after) } : {}),
  }
}

function renderEntry(entry: NonNullable<EntryChange['before']>) {
  if (entry.kind === 'removal') return { kind: entry.kind }
  const { kind, mode, uid, gid, mtime, size, target } = entry
  return {
    kind,
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    mtime,
    ...(kind === 'file' ? { size } : {}),
    ...(kind === 'symlink' ? { target: textOf(target) } : {}),
  }
}
