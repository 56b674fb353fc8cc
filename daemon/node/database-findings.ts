import { messageOf } from '../../base/errors.js'
import type { Finding } from '../../isolation/isolation.js'
import type { SqlStore } from '../store/sql/store.js'

const subject = 'database'

/**
 * What `node doctor` says of the database.
 *
 * @param rest what can only be found while it answers
 */
export async function databaseFindings(
  database: Pick<SqlStore, 'ping' | 'server' | 'risks'>,
  rest: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  let risks: readonly string[]
  try {
    await database.ping()
    risks = await database.risks()
  } catch (error) {
    return [{ subject, verdict: 'bad', message: messageOf(error).replace(/\.$/, '') }]
  }
  const answers: readonly Finding[] =
    database.server === undefined ? [] : [{ subject, verdict: 'good', message: `${database.server} answers` }]
  const found = risks.map((message): Finding => ({ subject, verdict: 'slow', message }))
  return [...answers, ...found, ...(await rest())]
}
