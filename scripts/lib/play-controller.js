// Plays the Cloud Controller of Cloud Foundry: serves an application as a zip, asks for its staging over NATS, takes the
// droplet, and prints the task log.
//
//   node play-controller.js NATS_URL APPLICATION DROPLET [FRAMEWORK [RUNTIME]]
//
// APPLICATION is a directory, DROPLET the file to write. The framework is sinatra, and its runtime ruby19, unless they are
// given. Fails unless the droplet has arrived.
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import busboy from '@fastify/busboy'
import { connect } from '@nats-io/transport-node'
import yazl from 'yazl'

const SUBJECT = 'staging'
const DEADLINE_MS = 180_000
const [natsUrl, application, dropletFile, framework = 'sinatra', runtime] = process.argv.slice(2)

let received = false
const server = createServer((request, response) => {
  const { method, url } = request
  console.log(`${method} ${url}`)
  const answered = method === 'GET' ? download(response) : upload(request, response)
  answered.catch((error) => {
    console.error(`${method} ${url}: ${error.message}`)
    response.destroy()
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const client = await connect({ servers: [natsUrl] })
try {
  const answer = await client.request(SUBJECT, JSON.stringify(requestFor(`my-${framework}-app`)), {
    timeout: DEADLINE_MS,
  })
  const { task_log: log, error } = answer.json()
  process.stdout.write(log)
  if (error !== undefined) throw new Error(error)
  if (!received) throw new Error('no droplet has arrived')
} catch (error) {
  console.error(`The staging has failed: ${error.message}.`)
  process.exitCode = 1
} finally {
  await client.close()
  server.closeAllConnections()
  server.close()
}

function requestFor(id) {
  const url = `http://127.0.0.1:${server.address().port}`
  return {
    app_id: id,
    download_uri: `${url}/download_unstaged_app/${id}`,
    upload_uri: `${url}/upload_droplet/${id}/upload_id`,
    properties: {
      services: [],
      framework_info: { name: framework },
      runtime_info:
        framework === 'sinatra' && runtime === undefined
          ? { name: 'ruby19', executable: 'ruby', version: '1.9.3' }
          : runtime && { name: runtime },
      resources: { memory: 256, disk: 256, fds: 1024 },
    },
  }
}

async function download(response) {
  const zip = new yazl.ZipFile()
  for (const name of (await readdir(application, { recursive: true })).sort()) {
    const file = path.join(application, name)
    if ((await stat(file)).isFile()) zip.addFile(file, name)
  }
  zip.end()
  await pipeline(zip.outputStream, response)
}

async function upload(request, response) {
  const form = new busboy.Busboy({ headers: request.headers })
  let written
  form.on('file', (field, file) => {
    if (field === 'upload[droplet]') written = pipeline(file, createWriteStream(dropletFile))
    else file.resume()
  })
  await pipeline(request, form)
  if (!written) throw new Error('there is no field upload[droplet]')
  await written
  received = true
  response.end('{}')
}
