import { createServer } from 'node:http'
import { flash } from 'lighthouse'

createServer((_request, response) => {
  response.end(`The light ${flash()} in ${process.env.NODE_ENV}\n`)
}).listen(process.env.PORT)
