'use strict'

const assert = require('node:assert/strict')
const { after, before, test } = require('node:test')
const { build } = require('../app')

let server

before((_context, done) => {
  server = build().listen(0, '127.0.0.1', done)
})

after(() => server.close())

function get(path, language = 'en') {
  return fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: { 'accept-language': language } })
}

test('greets the world in English', async () => {
  assert.equal(await (await get('/')).text(), 'Good morning, world!\n')
})

test('greets by name', async () => {
  assert.equal(await (await get('/?name=Ada')).text(), 'Good morning, Ada!\n')
})

test('greets in French', async () => {
  const response = await get('/', 'fr-CA, fr;q=0.9, en;q=0.5')
  assert.equal(await response.text(), 'Bonjour, world!\n')
  assert.equal(response.headers.get('content-language'), 'fr')
})

test('refuses an empty name', async () => {
  assert.equal((await get('/?name=')).status, 400)
})
