import { quote } from '../../base/fqn.js'

export interface NatsServers {
  /** `HOST:PORT`. */
  readonly servers: readonly string[]
  readonly tls: boolean
}

/** URLs of one cluster; undefined for none. Without credentials, which would be seen in a list of processes. */
export function parseNatsServers(text: string): NatsServers | undefined {
  const urls = text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map((one) => {
      const url = URL.canParse(one) ? new URL(one) : undefined
      if (!url || !['nats:', 'tls:'].includes(url.protocol) || url.hostname === '' || !/^\/?$/.test(url.pathname))
        throw new Error('has an entry that is not a URL such as nats://nats.example.org:4222 or tls://10.1.2.3:4222')
      if (url.username !== '' || url.password !== '')
        throw new Error('has a user or a password: write them into the file of cloud-foundry-credentials')
      return url
    })
  const [first] = urls
  if (!first) return undefined
  if (urls.some(({ protocol }) => protocol !== first.protocol))
    throw new Error('has servers with TLS and without: write nats:// or tls:// for all of them')
  return { servers: urls.map(({ hostname, port }) => `${hostname}:${port || '4222'}`), tls: first.protocol === 'tls:' }
}

/** Subjects that are listened to. */
export function parseSubjects(text: string): readonly string[] {
  const subjects = text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
  const wrong = subjects.find((one) => !/^[^\s.*>]+(?:\.[^\s.*>]+)*$/.test(one))
  if (wrong !== undefined) throw new Error(`has ${quote(wrong)}, which is not a subject such as vcap.stager.staging`)
  if (subjects.length === 0) throw new Error('must have at least one subject, such as staging')
  return [...new Set(subjects)]
}
