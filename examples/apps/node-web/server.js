'use strict'

const { build } = require('./app')

const server = build().listen(Number(process.env.PORT ?? 8080), (error) => {
  if (error) throw error
  console.log(`listening on port ${server.address().port}`)
})

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close())
