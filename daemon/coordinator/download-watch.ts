import type { Exchange } from './exchange.js'

/** End a download that its client does not read at the pace of the limits. */
export function watchDownload({ request, response, session, limits }: Exchange): void {
  const { socket } = request
  // Bytes that the kernel has taken; what Node still holds is waiting for the client. Counted in whole chunks.
  const delivered = (): number => socket.bytesWritten - socket.writableLength
  let before = delivered()
  // Nobody reads while the container stands still for a snapshot, nor right after it.
  let excused = true
  const watch = setInterval(() => {
    const now = delivered()
    const waitsForClient = response.writableNeedDrain || socket.writableLength > 0
    if (waitsForClient && !excused && !session.frozen && now - before < limits.paceBytes) socket.destroy()
    excused = session.frozen
    before = now
  }, limits.paceMs).unref()
  response.once('close', () => clearInterval(watch))
}
