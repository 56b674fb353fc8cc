import { connect, type NatsConnection } from '@nats-io/transport-node'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Staging } from '../../../daemon/documents/staging.js'
import { linesOf, Requester, requestFor } from '../../daemon/cloud-foundry/support/answers.js'
import { figures } from '../../hostile/support/promises.js'
import { Controller } from '../../support/controller.js'
import { NatsServer } from '../../support/nats-server.js'
import { zipOf } from '../../support/zip-builder.js'
import { expectNothingLeft, leftovers, removeImages } from '../support/leftovers.js'
import { until, type PrivateDaemon } from '../support/private-daemon.js'
import { isSubscribed, startRequestNode } from '../support/request-node.js'

let nats: NatsServer
let controller: Controller
let daemon: PrivateDaemon
let client: NatsConnection
let requester: Requester

beforeAll(async () => {
  nats = await NatsServer.open()
  controller = await Controller.open(await zipOf([['server.js', 'serve()']]))
  daemon = await startRequestNode(nats)
  client = await connect({ servers: [`127.0.0.1:${nats.port}`], reconnectTimeWait: 50, maxReconnectAttempts: -1 })
  requester = new Requester(client, controller)
})
afterAll(async () => {
  await client.close()
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
  await controller.close()
  await nats.stop()
})
beforeEach(async () => {
  controller.download = undefined
  controller.upload = undefined
  await isSubscribed(client)
})

const stagingsOf = (appId: string) =>
  daemon.ask<Staging[]>('GET', `/v1/stagings?package=${encodeURIComponent(`package::/cloud-foundry::${appId}`)}`)
const isAnswered = (appId: string) => until('it is answered', () => requester.answersTo(appId).length > 0)

/** The one answer, after the promise is checked. */
async function answerTo(appId: string, error?: string) {
  await isAnswered(appId)
  const answers = requester.answersTo(appId)
  const stagings = await stagingsOf(appId)
  const [staging] = stagings
  figures.check('loss', `the request for ${appId}`, [
    ...(new Set(answers.map(({ task_id: id }) => id)).size === 1 ? [] : ['it has several tasks']),
    ...(stagings.length === 1 ? [] : [`it has ${stagings.length} stagings`]),
    ...(staging?.uuid.replaceAll('-', '') === answers[0]?.task_id ? [] : ['its staging is not its task']),
    ...(answers[0]?.error === error ? [] : [`its error is ${answers[0]?.error}`]),
  ])
  return answers[0]!
}

/** Resolves when the endpoint is asked for the first time; it is not answered. */
function once(which: 'download' | 'upload'): Promise<void> {
  return new Promise((resolve) => {
    controller[which] = (request: IncomingMessage) => {
      controller[which] = undefined
      if (which === 'upload') void buffer(request).then(() => resolve())
      else resolve()
    }
  })
}

it('kill -9 while the application is fetched: it is fetched again, and staged once', async () => {
  const asked = once('download')
  await requester.send('fetching')
  await asked
  await expect(stagingsOf('fetching')).resolves.toMatchObject([{ state: 'queued' }])
  await daemon.kill()
  await daemon.restart()
  expect(linesOf(await answerTo('fetching'))).toEqual([
    ...['Setting up temporary directories', 'Downloading application', 'Unpacking application'],
    ...['Staging application', 'building', 'OK', 'Creating droplet', 'Uploading droplet', 'Done!'],
  ])
})

it('kill -9 while it is staged: the staging goes on with a new launch', async () => {
  await requester.send('staging')
  await until('it is staged', async () => {
    const [staging] = await stagingsOf('staging').catch(() => [])
    return staging !== undefined && (await daemon.text(staging.uuid, { follow: false })).includes('building')
  })
  await daemon.kill()
  const left = await leftovers(daemon)
  await daemon.restart()
  const answer = await answerTo('staging')
  expect(linesOf(answer).filter((line) => line === 'Downloading application')).toHaveLength(1)
  const now = await leftovers(daemon)
  figures.check(
    'leftover',
    'the launch of a request whose daemon was killed',
    left.filter((one) => now.includes(one)),
  )
})

it('kill -9 while the droplet is sent: it is not sent again', async () => {
  const sent = once('upload')
  await requester.send('sending')
  await sent
  await daemon.kill()
  await daemon.restart()
  expect(linesOf(await answerTo('sending', 'Failed uploading droplet')).at(-2)).toBe(
    'stagerd was restarted while the droplet was sent.',
  )
  expect(controller.uploads.filter(({ url }) => url === '/upload/sending')).toEqual([])
})

it('kill -9 when the answer is recorded and cannot be sent: it is sent when both are back, by the same task', async () => {
  const before = (await daemon.log()).length
  let go: () => void = () => undefined
  const reached = new Promise<void>((resolve) => {
    controller.upload = (request, response) => {
      void buffer(request).then(() => {
        go = () => response.end()
        resolve()
      })
    }
  })
  await requester.send('answering')
  await reached
  await nats.stop()
  go()
  await until('it cannot be sent', async () => (await daemon.log()).slice(before).includes('cannot send an answer'))
  await daemon.kill()
  await nats.start()
  await daemon.restart()
  await answerTo('answering')
})

it('kill -9 when the answer arrives: it may come twice, with the same task', async () => {
  await requester.send('answered')
  while (requester.answersTo('answered').length === 0) await new Promise((resolve) => setImmediate(resolve))
  await daemon.kill()
  await daemon.restart()
  await isSubscribed(client)
  await answerTo('answered')
  expect(requester.answersTo('answered').length).toBeLessThan(3)
})

it.each(['SIGUSR2', 'SIGINT', 'SIGTERM'] as const)(
  '%s: no more requests are taken, the one under way is answered, and the daemon ends',
  async (signal) => {
    const name = `drained-${signal.toLowerCase()}`
    let go: () => void = () => undefined
    const reached = new Promise<void>((resolve) => {
      controller.upload = (request, response) => {
        void buffer(request).then(() => {
          go = () => response.end()
          resolve()
        })
      }
    })
    await requester.send(name)
    await reached
    process.kill(daemon.pid, signal)
    await until('nobody takes requests', () =>
      client.request('staging', '{}', { timeout: 1000 }).then(
        () => false,
        (error: unknown) => /no responders/i.test(String(error)),
      ),
    )
    go()
    await daemon.gone()
    await until('it is answered', () => requester.answersTo(name).length > 0)
    expect(requester.answersTo(name)[0]?.error).toBeUndefined()
    await daemon.restart()
    await answerTo(name)
  },
)

it('credentials of URIs are in no log, no error and no list of processes', async () => {
  const secret = 's3cret-of-the-uri'
  const uri = (where: string) => `http://user:${secret}@127.0.0.1:${controller.port}/${where}/hidden`
  const lists = new Set<string>()
  const looked = new AbortController()
  const watching = (async () => {
    while (!looked.signal.aborted) {
      for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
        const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')
        if (line.includes(secret)) lists.add(`the command line of process ${pid}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  const uris = { download_uri: uri('download'), upload_uri: uri('upload') }
  await requester.send('hidden', requestFor('hidden', controller, uris))
  const answer = await answerTo('hidden')
  controller.upload = (_, response) => void response.writeHead(403, { location: uri('x') }).end(secret)
  await requester.send('hidden-too', requestFor('hidden-too', controller, uris))
  const refused = await answerTo('hidden-too', 'Failed uploading droplet')
  looked.abort()
  await watching
  expect(controller.uploads.at(-1)?.headers.authorization).toMatch(/^Basic /)
  const written = {
    'the log': await daemon.log(),
    'an answer': answer.task_log + refused.task_log,
    'the database': await readFile(path.join(daemon.stateDirectory, 'stagerd.db'), 'latin1'),
  }
  const places = Object.entries(written).flatMap(([place, text]) => (text.includes(secret) ? [place] : []))
  figures.check('escape', 'credentials of URIs', [...places, ...lists])
})
