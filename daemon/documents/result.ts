import { Type, type Static } from 'typebox'
import { CHANGE_KINDS, ENTRY_FIELDS, METADATA_FIELDS, RESULT_ORIGINS } from '../model/result-names.js'
import { Capabilities, Templates } from './capability.js'
import { Manifest } from './manifest.js'
import { Package, Resource } from './package.js'
import { closed, environment, oneOf } from './schema.js'

/** GET /v1/packages/{ref}/results, newest first */
export const Result = Type.Object(
  {
    number: Type.Integer({ minimum: 1, description: 'counts within the package, and is given once' }),
    current: Type.Boolean({ description: 'whether the package has this state' }),
    origin: oneOf(RESULT_ORIGINS, {
      staging: 'a staging has made it, or was answered with it',
      rollback: 'a rollback to an earlier result',
      kept: 'a state of the package that a result has replaced',
    }),
    staging: Type.Optional(Type.String({ description: 'UUID' })),
    reused: Type.Optional(Type.String({ description: 'UUID of the staging that had made it before' })),
    pipeline: Type.Optional(Type.String()),
    rollback_to: Type.Optional(Type.Integer({ description: 'number of the result that it repeats' })),
    resource: Resource,
    source: Type.Optional(Resource),
    dependencies: Capabilities,
    provides: Capabilities,
    environment: environment('applied when the package runs'),
    templates: Templates,
    manifest: Type.Optional(Manifest),
    created_at: Type.String(),
  },
  { ...closed, title: 'Result' },
)
export type Result = Static<typeof Result>

/** POST /v1/packages/{ref}/rollback */
export const Rollback = Type.Object(
  {
    result: Type.Optional(
      Type.Integer({ minimum: 1, description: 'default: the newest result that the package does not have now' }),
    ),
  },
  { ...closed, title: 'Rollback' },
)
export type Rollback = Static<typeof Rollback>

export const RolledBack = Type.Object(
  { package: Package, result: Type.Integer({ description: 'number of the result that it has now' }) },
  { ...closed, title: 'RolledBack' },
)
export type RolledBack = Static<typeof RolledBack>

const Entry = Type.Object(
  {
    kind: oneOf(['file', 'directory', 'symlink', 'removal'], {
      file: 'a hard link is the file that it names',
      directory: 'a directory',
      symlink: 'a symbolic link',
      removal: 'the package hides what the layers below have here',
    }),
    mode: Type.Optional(Type.String({ description: 'octal' })),
    uid: Type.Optional(Type.Integer()),
    gid: Type.Optional(Type.Integer()),
    mtime: Type.Optional(Type.String({ description: 'seconds' })),
    size: Type.Optional(Type.Integer({ description: 'bytes; of a file' })),
    target: Type.Optional(Type.String({ description: 'of a symbolic link' })),
  },
  { ...closed, title: 'ComparedEntry' },
)

/** GET /v1/packages/{ref}/diff */
export const ResultDiff = Type.Object(
  {
    package: Type.String({ description: 'FQN' }),
    from: Type.Integer({ description: 'number of a result' }),
    to: Type.Optional(Type.Integer({ description: 'number of a result; absent: the state of the package' })),
    added: Type.Integer(),
    changed: Type.Integer(),
    removed: Type.Integer(),
    metadata: Type.Integer({ description: 'entries of which only metadata differ' }),
    changes: Type.Array(
      Type.Object(
        {
          change: oneOf(CHANGE_KINDS),
          path: Type.String({ description: 'from the root' }),
          fields: Type.Array(oneOf(ENTRY_FIELDS)),
          before: Type.Optional(Entry),
          after: Type.Optional(Entry),
        },
        { ...closed, title: 'EntryChange' },
      ),
      { description: 'by path' },
    ),
    truncated: Type.Boolean({ description: 'whether there are more changes than are listed' }),
    package_metadata: Type.Array(
      Type.Object(
        { field: oneOf(METADATA_FIELDS), before: Type.Unknown(), after: Type.Unknown() },
        { ...closed, title: 'MetadataChange' },
      ),
    ),
  },
  { ...closed, title: 'ResultDiff' },
)
export type ResultDiff = Static<typeof ResultDiff>
