const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { portOf, server } = require('../fleet.js')

test('the port is that of the command line', () => assert.equal(portOf(['fleet.js', '--port', '8081']), '8081'))

test('the fleet has three boats, on the Node.js of .nvmrc', async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`)
  const text = await answer.text()
  server.close()
  assert.equal(text, 'Three boats, on Node.js 18\n')
})
