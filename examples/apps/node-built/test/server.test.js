import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { server } from '../dist/server.js'

test('what is started has been built, by a Node.js of package.json', async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`)
  const text = await answer.text()
  server.close()
  assert.equal(text, 'The keel was laid on Node.js 20\n')
})
