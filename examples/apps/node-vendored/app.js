import { createServer } from 'node:http'
import { flash } from 'lighthouse'

// Without PORT, as in tests, any free port.
export const server = createServer((_request, response) => {
  response.end(`The light ${flash()} in ${process.env.NODE_ENV}\n`)
}).listen(process.env.PORT ?? 0)
