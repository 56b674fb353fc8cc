import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

const Imported = Type.Object(
  {
    fqn: Type.String(),
    uuid: Type.String(),
    outcome: Type.Union([Type.Literal('made'), Type.Literal('replaced'), Type.Literal('skipped')]),
  },
  { ...closed, title: 'Imported' },
)
export type Imported = Static<typeof Imported>

/** Response of POST /v1/exchange. */
export const ImportReport = Type.Object(
  { packages: Type.Array(Imported), stagers: Type.Array(Imported), pipelines: Type.Array(Imported) },
  { ...closed, title: 'ImportReport' },
)
export type ImportReport = Static<typeof ImportReport>

/** Response of GET /v1/resources/{sha256}: data that is stored, so that no client needs to upload it again. */
export const StoredResource = Type.Object(
  { sha256: Type.String(), length: Type.Integer(), compression: Type.String() },
  { ...closed, title: 'StoredResource' },
)
export type StoredResource = Static<typeof StoredResource>
