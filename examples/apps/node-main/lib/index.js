const { createServer } = require('node:http')
const { toKilometres } = require('knots')

createServer((_request, response) => {
  response.end(`Ten knots are ${toKilometres(10)} km/h\n`)
}).listen(process.env.PORT)
