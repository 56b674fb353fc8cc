const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const server = require('../server.js')

test('the answer names the path', async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/quay`)
  const text = await answer.text()
  server.close()
  assert.equal(text, 'Bare server at /quay\n')
})
