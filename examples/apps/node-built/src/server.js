import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

export const server = createServer((_request, response) => response.end('The keel was laid on Node.js __MAJOR__\n'))

if (process.argv[1] === fileURLToPath(import.meta.url)) server.listen(process.env.PORT)
