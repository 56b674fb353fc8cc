import type { Dialect } from '../sql/dialect.js'
import { sql } from '../sql/work.js'

export const POSTGRES: Dialect = {
  jsonArray: (fields, order, from) => {
    const pairs = fields.map((field) => `'${field}', ${field}`).join(', ')
    const element = fields.length === 1 ? fields.join() : `json_build_object(${pairs})`
    return `(SELECT coalesce(json_agg(${element} ORDER BY ${order}), '[]')::text FROM ${from})`
  },
  taken: 'FOR UPDATE SKIP LOCKED',
  *now() {
    const row = yield* sql.one<{ now: number }>('SELECT floor(extract(epoch FROM now()) * 1000)::bigint AS now')
    return new Date(row?.now ?? NaN)
  },
  isShared: true,
  overwriting: (work) => work(),
}
