import { readFile } from 'node:fs/promises'
import path from 'node:path'
import Database from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { makeWebhookSecret } from '../../../daemon/webhooks/signature.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'

it('the daemon seals the secrets of webhooks that an older stagerd has stored as they are, when it starts', async () => {
  const daemon = await DaemonInProcess.start()
  onTestFinished(() => daemon.close())
  expect(await daemon.stagectl(['webhook', 'add', 'https://ci.example.org/ended'])).toMatchObject({ code: 0 })
  await daemon.stop()
  const file = path.join(daemon.stateDirectory, 'stagerd.db')
  const secret = makeWebhookSecret()
  const database = new Database(file)
  expect(database.prepare('UPDATE webhooks SET secret = ?').run(secret).changes).toBe(1)
  database.close()
  expect(await readFile(file, 'latin1')).toContain(secret)

  await daemon.restart()
  await daemon.stop()
  const stored = new Database(file, { readonly: true })
  onTestFinished(() => void stored.close())
  const [sealed] = stored.prepare('SELECT secret FROM webhooks').pluck().all()
  expect(sealed).toMatch(/^[A-Za-z0-9+/]+=*$/)
})
