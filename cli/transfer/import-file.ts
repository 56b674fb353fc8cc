import type { ImportReport } from '../../daemon/documents/exchange.js'
import type { Query } from '../api/control-api.js'
import type { Session } from '../session/session.js'
import { sendFile } from './file-to-send.js'

/** Imports an exchange file, and shows the progress. */
export async function importFile(session: Session, file: string, query: Query): Promise<ImportReport> {
  const { api, signal } = session
  const source = { file, from: 'stagectl package export', label: 'Importing' }
  return await sendFile(session, source, (body) => api.upload<ImportReport>('/v1/exchange', body, { query, signal }))
}
