import type { BuildScript } from '../packages/build-script/build-script.js'
import { fileNameOf } from '../packages/build-script/read-source.js'
import type { BuildScript as BuildScriptDocument } from '../documents/build-script.js'

export function renderBuildScript(script: BuildScript): BuildScriptDocument {
  const { name, namespace, version, description, environment, snapshotPath, image, build } = script
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(version === undefined ? {} : { version }),
    ...(description === undefined ? {} : { description }),
    provides: [...script.provides],
    depends: [...script.depends],
    build_depends: [...script.buildDepends],
    environment,
    sources: script.sources.map(({ url, sha256, sha1 }) => ({
      url,
      file: fileNameOf(url) ?? '',
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(sha1 === undefined ? {} : { sha1 }),
    })),
    include_files: [...script.includeFiles],
    cleanup: [...script.cleanup],
    ...(snapshotPath === undefined ? {} : { snapshot_path: snapshotPath }),
    ...(image === undefined ? {} : { image }),
    build,
  }
}
