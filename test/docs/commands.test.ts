import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CleanupStack } from '../../base/cleanup-stack.js'
import { installDirectory } from '../../base/installation.js'
import { compileClient } from '../cli/support/compile-client.js'
import { Authority } from '../support/certificates.js'
import { DaemonInProcess } from '../support/daemon-in-process.js'
import { blockCommandsIn, commandsIn } from '../support/document-commands.js'
import { freePort } from '../support/free-port.js'
import { call } from '../support/staging-harness.js'
import { WebhookReceiver } from '../support/webhook-receiver.js'
import { zipOf } from '../support/zip-builder.js'
import { application, furnish } from './support/furnish.js'
import { Reader, type ReaderParts } from './support/reader.js'

// The commands of documents, taken from the documents. test/docs/known-commands.test.ts says which other tests run some.

const undo = new CleanupStack()
/** A node with the stager and the pipeline that the documents name. */
let daemon: DaemonInProcess
let bin: string
/** Whether the stager `nodejs` fails. */
let isBroken = false

const documentAt = (name: string) => readFile(path.join(installDirectory(), 'docs', name), 'utf8')

async function open(flags: Readonly<Record<string, string>> = {}): Promise<DaemonInProcess> {
  const opened = await DaemonInProcess.start(flags)
  undo.defer('close a daemon', () => opened.close())
  return opened
}

beforeAll(async () => {
  daemon = await open({ webhookNetworks: '127.0.0.0/8' })
  const client = path.join(daemon.directory, 'client')
  await mkdir(client)
  await compileClient(client)
  bin = path.join(client, 'bin')
  await furnish(daemon, async ({ url }) => {
    await call(url, isBroken ? 'POST /failed' : 'POST /done')
  })
})

afterAll(() => undo.run())

const reader = (more: Pick<ReaderParts, 'cwd'> & Partial<ReaderParts>) =>
  new Reader({ daemon, bin, instead: {}, ...more })

const namesOf = async (node: DaemonInProcess) =>
  (JSON.parse((await node.stagectl(['package', 'list', '--json', '--namespace', '/'])).out) as { fqn: string }[])
    .map(({ fqn }) => fqn)
    .sort()

it('every command of docs/operations.md', async () => {
  const receiver = await WebhookReceiver.open()
  const [empty, unpacked] = [await open(), await open()]
  await unpacked.stop()
  await rm(unpacked.stateDirectory, { recursive: true })
  await mkdir(unpacked.stateDirectory)
  const cwd = await application(daemon, 'shop')
  for (const name of ['backup', 'cron.daily', 'etc/stagerd']) await mkdir(path.join(cwd, name), { recursive: true })
  const { origin } = new URL(receiver.url)
  const administrator = reader({
    cwd,
    env: { NPM_TOKEN: 'a secret token' },
    instead: {
      'https://ci.example.org': origin,
      ' URL': ` ${origin}/staged`,
      '/var/lib/stagerd': unpacked.stateDirectory,
      '/backup': path.join(cwd, 'backup'),
      '/etc/cron.daily': path.join(cwd, 'cron.daily'),
      '-C /etc': `-C ${path.join(cwd, 'etc')}`,
    },
  })
  await administrator.follow(commandsIn(await documentAt('operations.md')), {
    'stagectl stage . --keep-failed 15m': {
      code: 10,
      before: () => Promise.resolve((isBroken = true)),
      after: () => Promise.resolve((isBroken = false)),
    },
    // The shells of the fake know neither; test/engine/system/keep-failed.test.ts shows real ones.
    'stagectl staging shell ID -- ls -l /app': { code: 127 },
    "echo 'npm ls' | stagectl staging shell ID": { code: 127 },
    'stagectl node restore node.tar': { daemon: empty },
    'stagectl node restore node.tar --replace': { daemon: empty },
    'chmod +x /etc/cron.daily/stagerd-backup': {
      after: async () => {
        expect(await administrator.run('"$PWD/cron.daily/stagerd-backup"')).toEqual({ code: 0, output: '' })
        expect((await readdir(path.join(cwd, 'backup'))).sort()).toEqual([
          expect.stringMatching(/^stagerd-\d{4}-\d\d-\d\d\.tar$/),
          expect.stringMatching(/^stagerd-settings-\d{4}-\d\d-\d\d\.tar\.gz$/),
        ])
      },
    },
    'sha256sum -c SHA256SUMS': { cwd: unpacked.stateDirectory },
    'stagectl staging cancel ID': {
      before: async () => {
        await daemon.made('node', 'drain')
        await administrator.run('stagectl stage . --detach')
      },
      after: () => daemon.made('node', 'undrain'),
    },
  })
  expect(await namesOf(empty)).toEqual(await namesOf(daemon))
  await unpacked.start()
  expect(await namesOf(unpacked)).toEqual(await namesOf(daemon))
})

it('every command of docs/access.md', async () => {
  const cwd = path.join(daemon.directory, 'access')
  await mkdir(cwd)
  const authority = await Authority.make(cwd, 'lab-ca')
  const { certificate: tlsCertificate, key: tlsKey } = await authority.issue('host')
  await chmod(tlsKey, 0o600)
  const port = await freePort()
  const remote = await open({ controlAddress: `127.0.0.1:${port}`, tlsCertificate, tlsKey })
  const token = (await remote.stagectl(['token', 'create', 'first', '--administrator'])).out
  for (const name of ['token', 'lab-token']) await writeFile(path.join(cwd, name), token, { mode: 0o600 })
  const address = `https://localhost:${port}`
  const user = reader({
    daemon: remote,
    cwd,
    env: { STAGERD_TOKEN: token.trim(), NODE_EXTRA_CA_CERTS: authority.certificate },
    instead: { 'https://stagerd.example.org:7300': address, 'https://10.0.0.7:7300': address },
  })
  await user.follow(blockCommandsIn(await documentAt('access.md')), {
    [`stagectl --address https://stagerd.example.org:7300 package list`]: { ownProcess: true },
  })
})

it('every command of docs/exchange.md', async () => {
  const there = await open()
  const cwd = path.dirname(await application(daemon, 'my-app'))
  await daemon.made('stage', 'my-app')
  const importing = { daemon: there }
  await reader({ cwd }).follow(blockCommandsIn(await documentAt('exchange.md')), {
    'stagectl package import nodejs.cntmp': importing,
    'stagectl package import nodejs.cntmp -o --namespace /acme': importing,
    'stagectl package import foreign.cntmp --name zsh-5.0.5 --provides package.zsh': {
      ...importing,
      // Without a manifest.
      before: async () => {
        const data = await readFile(path.join(daemon.directory, 'any.tar.gz'))
        await writeFile(path.join(cwd, 'foreign.cntmp'), await zipOf([['PACKAGE_RESOURCE_0001.tar.gz', data]]))
      },
    },
  })
})

it('every command of docs/policy.md, with the policy that it shows', async () => {
  const cwd = path.dirname(await application(daemon, 'my-app'))
  const text = await documentAt('policy.md')
  const [, policy = ''] = /^```text\n(\/\/ Comments[^]*?)^```$/m.exec(text) ?? []
  await writeFile(path.join(cwd, 'prod.pol'), policy)
  await daemon.made('stage', 'my-app')
  await reader({ cwd }).follow(blockCommandsIn(text))
})

it('every command of docs/results.md', async () => {
  const app = await application(daemon, 'my-app')
  const cwd = path.dirname(app)
  // It may have results of another test.
  await daemon.stagectl(['package', 'delete', 'my-app', '--batch'])
  const change = async () => {
    for (let version = 0; version < 3; version++) {
      await writeFile(path.join(app, 'index.js'), `serve(${version})`)
      await daemon.made('stage', 'my-app')
    }
  }
  await reader({ cwd }).follow(blockCommandsIn(await documentAt('results.md')), {
    'stagectl package history my-app': { before: change },
  })
})
