'use strict'

const express = require('express')
const { LANGUAGES, greet } = require('./greeting')

function build() {
  const app = express()

  app.get('/', (request, response) => {
    const name = request.query.name ?? 'world'
    if (typeof name !== 'string' || name === '' || name.length > 80) {
      response.status(400).type('text').send('name must have 1 to 80 characters\n')
      return
    }
    const language = request.acceptsLanguages(LANGUAGES) || 'en'
    response.set('Content-Language', language).type('text').send(`${greet(language, name)}\n`)
  })

  app.get('/healthz', (_request, response) => {
    response.json({ status: 'up' })
  })

  return app
}

module.exports = { build }
