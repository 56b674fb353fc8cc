import { Type, type Static } from 'typebox'
import { Capabilities } from './capability.js'
import { closed, environment } from './schema.js'

/** POST /v1/build-scripts */
export const BuildScriptText = Type.Object({ script: Type.String() }, { ...closed, title: 'BuildScriptText' })
export type BuildScriptText = Static<typeof BuildScriptText>

/** The content of a build script. docs/build-scripts.md describes the language. */
export const BuildScript = Type.Object(
  {
    name: Type.String(),
    namespace: Type.Optional(Type.String()),
    version: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    provides: Capabilities,
    depends: Capabilities,
    build_depends: Capabilities,
    environment: environment('of the package'),
    sources: Type.Array(
      Type.Object(
        {
          url: Type.String(),
          file: Type.String({ description: 'name in the working directory' }),
          sha256: Type.Optional(Type.String()),
          sha1: Type.Optional(Type.String()),
        },
        closed,
      ),
    ),
    include_files: Type.Array(Type.String(), { description: 'files beside the script' }),
    cleanup: Type.Array(Type.String()),
    snapshot_path: Type.Optional(Type.String()),
    image: Type.Optional(
      Type.String({ description: 'a Docker image that becomes the package; nothing is built then' }),
    ),
    build: Type.String({ description: 'shell script; empty with an image' }),
  },
  { ...closed, title: 'BuildScript' },
)
export type BuildScript = Static<typeof BuildScript>
