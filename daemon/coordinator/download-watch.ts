import type { StagerRequest } from './stager-request.js'

/**
 * End the connection of a download whose client does not read at the pace of the limits. It is the connection that is
 * judged: behind other answers, which nobody else watches, a download is kept waiting by the same client.
 *
 * @returns ends the watch, which also ends with the exchange
 */
export function watchDownload({ request, signal, session, limits }: StagerRequest): () => void {
  const { socket } = request
  const look = () => {
    // What it has sent is counted only while it is at work: two looks at different ones cannot be compared.
    const sender = session.senderAtWork(socket)
    return {
      sender,
      // Bytes that the kernel has taken; what Node still holds is waiting for the client. Counted in whole chunks.
      delivered: socket.bytesWritten - socket.writableLength + (sender?.sent ?? 0),
      waitsForClient: sender !== undefined || socket.writableLength > 0,
    }
  }
  let before = look()
  const watch = setInterval(() => {
    const now = look()
    const waited = before.waitsForClient && now.waitsForClient && before.sender === now.sender
    if (waited && !session.frozenWithin(limits.paceMs) && now.delivered - before.delivered < limits.paceBytes)
      socket.destroy()
    before = now
  }, limits.paceMs).unref()
  const unwatch = (): void => clearInterval(watch)
  signal.addEventListener('abort', unwatch, { once: true })
  return unwatch
}
