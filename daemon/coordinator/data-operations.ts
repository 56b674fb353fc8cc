import { pipeline } from 'node:stream/promises'
import { FileSender, isForFileSender } from '../http/file-sender.js'
import { watchDownload } from './download-watch.js'
import { holdBack } from './hold-back.js'
import type { HttpSession } from './http-session.js'
import type { PackageData } from './launch-handler.js'
import type { StagerRequest } from './stager-request.js'
import { expectedUpload } from './upload-request.js'

const TYPE = 'application/octet-stream'

/** `GET /data` */
export async function downloadData(request: StagerRequest, session: HttpSession): Promise<void> {
  session.countDownload(request)
  const { stream, length, trustedFile } = await session.inOrder(request, (handler) => handler.openData(request.signal))
  try {
    if (request.signal.aborted) return
    if (trustedFile && length !== undefined && isForFileSender(length)) {
      request.response.writeHead(200, { 'content-type': TYPE, 'content-length': length })
      await sendFile(request, session, new FileSender(request.response, trustedFile, length))
    } else await sendStream(request, session, { stream, length })
  } finally {
    stream.destroy()
  }
}

async function sendFile(request: StagerRequest, session: HttpSession, sender: FileSender): Promise<void> {
  request.sender = sender
  const unwatch = watchDownload(request, session)
  try {
    await sender.run()
  } finally {
    // The watch reads the offset of the file, which is closed after this.
    unwatch()
  }
}

/** Headers are sent with the first chunk: a stream that fails before it can still be refused. */
async function sendStream(
  request: StagerRequest,
  session: HttpSession,
  { stream, length }: Pick<PackageData, 'stream' | 'length'>,
): Promise<void> {
  const { response } = request
  response.setHeader('content-type', TYPE)
  if (length !== undefined) response.setHeader('content-length', length)
  watchDownload(request, session)
  const body = holdBack()
  const read = pipeline(stream, body)
  response.once('close', () => body.destroy())
  body.pipe(response)
  await read
}

/** `POST /data?sha256=HEX` */
export async function uploadData(request: StagerRequest, session: HttpSession): Promise<void> {
  const expected = expectedUpload(request.address.query, request.raw.headers['content-length'])
  await session.uploading(() =>
    session.inOrder(request, async (handler) => {
      const body = request.openBody()
      try {
        await handler.replaceData(body, expected, request.signal)
      } catch (error) {
        // Why the body broke off explains more than what the handler reports of a broken stream.
        throw body.fault ?? error
      } finally {
        body.destroy()
      }
    }),
  )
  request.succeed()
}
