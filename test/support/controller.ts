import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** The two endpoints of a Cloud Controller, on loopback. */
export class Controller {
  readonly uploads: { readonly url: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer }[] = []
  readonly downloads: IncomingHttpHeaders[] = []
  /** In place of sending the application. */
  download: Handler | undefined
  /** In place of taking the droplet. */
  upload: Handler | undefined

  private constructor(
    readonly port: number,
    readonly close: () => Promise<void>,
  ) {}

  /**
   * @param application a zip or a tar
   * @param port default: any that is free
   */
  static async open(application: Buffer, port = 0): Promise<Controller> {
    const server = createServer((request, response) => {
      if (request.method === 'GET') {
        controller.downloads.push(request.headers)
        if (controller.download) controller.download(request, response)
        else response.end(application)
        return
      }
      if (controller.upload) {
        controller.upload(request, response)
        return
      }
      // Whoever sends it may be killed meanwhile.
      const whole = buffer(request).catch(() => undefined)
      void whole.then((body) => {
        if (!body) return
        controller.uploads.push({ url: request.url ?? '', headers: request.headers, body })
        response.end('{}')
      })
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const controller = new Controller((server.address() as AddressInfo).port, async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    })
    return controller
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** The droplet of an upload. */
  static dropletOf({ headers, body }: Controller['uploads'][number]): Buffer {
    const boundary = /boundary=(.+)$/.exec(headers['content-type'] ?? '')?.[1] ?? ''
    const start = body.indexOf('\r\n\r\n') + 4
    return body.subarray(start, body.indexOf(`\r\n--${boundary}--\r\n`, start))
  }
}
