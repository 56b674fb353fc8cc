import type { FileSender } from '../http/file-sender.js'
import type { Exchange } from './exchange.js'

/**
 * End a download that its client does not read at the pace of the limits.
 *
 * @param sender when it is not Node that sends
 * @returns ends the watch, which also ends with the exchange
 */
export function watchDownload(
  { request, response, signal, session, limits }: Exchange,
  sender?: Pick<FileSender, 'sent'>,
): () => void {
  const { socket } = request
  // Bytes that the kernel has taken; what Node still holds is waiting for the client. Counted in whole chunks.
  const delivered = (): number => socket.bytesWritten - socket.writableLength + (sender?.sent ?? 0)
  let before = delivered()
  // Nobody reads while the container stands still for a snapshot, nor right after it.
  let excused = true
  const watch = setInterval(() => {
    const now = delivered()
    // Behind other responses of its connection it waits for those, each of which is watched by itself.
    const hasTheConnection = response.socket !== null
    const waitsForClient =
      hasTheConnection && (response.writableNeedDrain || socket.writableLength > 0 || sender?.sent !== undefined)
    if (waitsForClient && !excused && !session.frozen && now - before < limits.paceBytes) socket.destroy()
    excused = session.frozen || !hasTheConnection
    before = now
  }, limits.paceMs).unref()
  const unwatch = (): void => clearInterval(watch)
  signal.addEventListener('abort', unwatch, { once: true })
  return unwatch
}
