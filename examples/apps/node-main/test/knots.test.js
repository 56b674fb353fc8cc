const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { toKilometres } = require('knots')
const server = require('../lib/index.js')

test('a knot is a nautical mile in an hour', () => assert.equal(toKilometres(100), 185.2))

test('the answer is in kilometres an hour', async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`)
  const text = await answer.text()
  server.close()
  assert.equal(text, 'Ten knots are 18.5 km/h\n')
})
