const { createServer } = require('node:http')

const portOf = (args) => args[args.indexOf('--port') + 1]

const server = createServer((_request, response) => {
  response.end(`Three boats, on Node.js ${process.versions.node.split('.')[0]}\n`)
})
if (require.main === module) server.listen(portOf(process.argv))

module.exports = { portOf, server }
