// An application without a package.json.
const { createServer } = require('node:http')

createServer((request, response) => {
  response.end(`Bare server at ${request.url}\n`)
}).listen(process.env.PORT)
