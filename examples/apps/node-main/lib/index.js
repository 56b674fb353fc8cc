const { createServer } = require('node:http')
const { toKilometres } = require('knots')

const server = createServer((_request, response) => {
  response.end(`Ten knots are ${toKilometres(10)} km/h\n`)
})
if (require.main === module) server.listen(process.env.PORT)

module.exports = server
