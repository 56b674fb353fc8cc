import { pipeline } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { FileSender, isForFileSender } from '../http/file-sender.js'
import { watchDownload } from './download-watch.js'
import type { StagerRequest } from './stager-request.js'
import { holdBack } from './hold-back.js'
import { expectedUpload } from './upload-request.js'

/** `GET /data` */
export async function downloadData(exchange: StagerRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { session, limits, response } = exchange
  session.downloading(exchange, limits.downloads)
  const { stream, length, trustedFile } = await session.inTurn(exchange, (handler) => handler.openData())
  if (exchange.signal.aborted) {
    stream.destroy()
    return reply.hijack()
  }
  if (trustedFile && length !== undefined && isForFileSender(length)) {
    try {
      response.writeHead(200, { 'content-type': TYPE, 'content-length': length })
      await sendFile(exchange, new FileSender(response, trustedFile, length))
    } finally {
      stream.destroy()
    }
    return reply.hijack()
  }
  void reply.type(TYPE)
  if (length !== undefined) void reply.header('content-length', length)
  watchDownload(exchange)
  const whole = holdBack()
  // Errors reach the response through `whole`, which it breaks off.
  pipeline(stream, whole, () => undefined)
  return reply.send(whole)
}

/** The watch ends before the file may be closed. */
async function sendFile(exchange: StagerRequest, sender: FileSender): Promise<void> {
  exchange.sender = sender
  const unwatch = watchDownload(exchange)
  try {
    await sender.run()
  } finally {
    unwatch()
  }
}

const TYPE = 'application/octet-stream'

/** `POST /data?sha256=HEX` */
export async function uploadData(exchange: StagerRequest): Promise<'OK'> {
  const { session, address, request, signal } = exchange
  const expected = expectedUpload(address.query, request.headers['content-length'])
  await session.uploading(() =>
    session.inTurn(exchange, async (handler) => {
      const body = exchange.openBody()
      try {
        await handler.replaceData(body, expected, signal)
      } catch (error) {
        // What the handler says of a stream that broke is less to the point than why it broke.
        throw body.fault ?? error
      } finally {
        body.destroy()
      }
    }),
  )
  return 'OK'
}
