// The little of the Docker Engine's API that scripts need before anything is installed: Node.js alone is enough.
import { request } from 'node:http'

/** The Engine that DOCKER_HOST names, else the one of this host. */
function endpoint() {
  const host = process.env.DOCKER_HOST || 'unix:///var/run/docker.sock'
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) }
  if (host.startsWith('tcp://')) {
    const { hostname, port } = new URL(host)
    return { host: hostname, port: port || '2375' }
  }
  throw new Error(`DOCKER_HOST is ${host}: these scripts speak unix:// and tcp:// without TLS.`)
}

/** The answer's JSON, or its text. Rejects when the Engine does not answer, or answers with an error other than 404. */
export function engine(method, path, timeoutMs = 60_000) {
  return new Promise((resolve, reject) => {
    const req = request({ ...endpoint(), method, path, timeout: timeoutMs }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (response.statusCode >= 400 && response.statusCode !== 404)
          reject(new Error(`${method} ${path}: ${response.statusCode} ${text.trim()}`))
        else resolve(/^[[{]/.test(text) ? JSON.parse(text) : text)
      })
    })
    req.on('timeout', () => req.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`)))
    req.on('error', reject)
    req.end()
  })
}

export function labelled(label) {
  return encodeURIComponent(JSON.stringify({ label: [label] }))
}
