// An application without a package.json.
const { createServer } = require('node:http')

const server = createServer((request, response) => {
  response.end(`Bare server at ${request.url}\n`)
})
if (require.main === module) server.listen(process.env.PORT)

module.exports = server
