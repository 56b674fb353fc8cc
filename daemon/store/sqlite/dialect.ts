import type { Dialect } from '../sql/dialect.js'
import { sql } from '../sql/work.js'

export const SQLITE: Dialect = {
  jsonArray: (fields, order, from) => {
    const pairs = fields.map((field) => `'${field}', ${field}`).join(', ')
    const element = fields.length === 1 ? fields.join() : `json_object(${pairs})`
    return `(SELECT json_group_array(${element} ORDER BY ${order}) FROM ${from})`
  },
  taken: '',
  // That of the only process that uses it.
  *now() {
    return new Date()
  },
  // There is one connection.
  isShared: false,
  *overwriting(work) {
    yield* sql.all('PRAGMA secure_delete = ON')
    yield* work()
    yield* sql.all('PRAGMA secure_delete = OFF')
  },
}
