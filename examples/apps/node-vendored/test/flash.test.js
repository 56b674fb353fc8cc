import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { flash } from 'lighthouse'
import { server } from '../app.js'

test('the light flashes', () => assert.match(flash(), /^flashes/))

test('the answer says how it does', async () => {
  if (!server.listening) await once(server, 'listening')
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`)
  const text = await answer.text()
  server.close()
  assert.match(text, /^The light flashes twice in /)
})
