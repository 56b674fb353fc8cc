// A minimal client of the Docker Engine API, without dependencies, for scripts that run before npm ci.
import { request } from 'node:http'

/** The Engine at DOCKER_HOST, or the Engine of this host. */
function endpoint() {
  const host = process.env.DOCKER_HOST || 'unix:///var/run/docker.sock'
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) }
  if (host.startsWith('tcp://')) {
    const { hostname, port } = new URL(host)
    return { host: hostname, port: port || '2375' }
  }
  throw new Error(`DOCKER_HOST is ${host}: these scripts support only unix:// and tcp:// without TLS.`)
}

/**
 * Resolves with the response body, parsed if it is JSON. Rejects without a response, and for an error status except
 * 404.
 */
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
    req.on('timeout', () => req.destroy(new Error(`${method} ${path}: no response within ${timeoutMs} ms`)))
    req.on('error', reject)
    req.end()
  })
}

/** A list. Asks again if an object of it is removed at that moment: some Engines then answer with an error. */
export async function list(path) {
  for (let attempt = 1; ; attempt++) {
    const found = await engine('GET', path).catch((error) => error)
    if (Array.isArray(found)) return found
    if (attempt === 8) throw found instanceof Error ? found : new Error(`GET ${path}: ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 15 * 2 ** attempt))
  }
}

export function labelled(label) {
  return encodeURIComponent(JSON.stringify({ label: [label] }))
}
