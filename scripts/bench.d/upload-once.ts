import { Output } from '../../cli/display/output.js'
import { Session } from '../../cli/session/session.js'
import { OutputStream } from '../../cli/terminal/output-stream.js'
import { processIo } from '../../cli/terminal/process-io.js'
import { SourceUpload } from '../../cli/transfer/upload-source.js'
import { findReplaceable } from '../../cli/transfer/put-package.js'

/**
 * Uploads a directory in a process of its own, as `stagectl stage` does, to the socket of STAGERD_SOCKET. Prints the
 * digest of what is stored.
 */
const [directory = '.', fqn = ''] = process.argv.slice(2)
const io = processIo()
const owned = { ...io, stdout: new OutputStream(io.stdout), stderr: new OutputStream(io.stderr) }
const session = await Session.open(new Output(owned, false), {})
const source = new SourceUpload(session, { directory, leaveOut: [] })
const before = await findReplaceable(session, fqn)
const { sha256 } = await source.upload({ namespace: '/bench', before })
await session.close()
console.log(sha256)
