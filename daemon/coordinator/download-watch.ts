import type { HttpSession } from './http-session.js'
import type { StagerRequest } from './stager-request.js'

/**
 * Close the connection of a download whose client reads more slowly than the minimum rate. The connection as a whole is
 * measured: nothing else watches the answers that go before the download, and the same client delays them.
 *
 * @returns stops the watch, which also stops at the end of the request
 */
export function watchDownload(request: StagerRequest, session: HttpSession): () => void {
  const { raw, signal, limits } = request
  const { socket } = raw
  const { bytes, windowMs } = limits.minRate
  const measure = () => {
    const sender = session.activeSender(socket)
    return {
      sender,
      // Bytes that the kernel has accepted: what Node still buffers waits for the client.
      delivered: socket.bytesWritten - socket.writableLength + (sender?.sent ?? 0),
      waitsForClient: sender !== undefined || socket.writableLength > 0,
    }
  }
  let before = measure()
  const timer = setInterval(() => {
    const now = measure()
    // A sender counts only its own bytes: measurements of different senders cannot be compared.
    const waited = before.waitsForClient && now.waitsForClient && before.sender === now.sender
    // A frozen container cannot read.
    const excused = session.frozenWithin(windowMs)
    if (waited && !excused && now.delivered - before.delivered < bytes) {
      const rate = `${bytes} bytes in ${windowMs / 1000} seconds`
      session.refusals.brokenOff(
        request.asked,
        `The client read more slowly than ${rate}: read the answer as it comes.`,
      )
      socket.destroy()
    }
    before = now
  }, windowMs).unref()
  const unwatch = (): void => clearInterval(timer)
  signal.addEventListener('abort', unwatch, { once: true })
  return unwatch
}
