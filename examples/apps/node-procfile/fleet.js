const { createServer } = require('node:http')

const port = process.argv[process.argv.indexOf('--port') + 1]
createServer((_request, response) => {
  response.end(`Three boats, on Node.js ${process.versions.node.split('.')[0]}\n`)
}).listen(port)
