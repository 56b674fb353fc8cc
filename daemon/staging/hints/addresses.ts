import type { HintContext, HintRule } from './hint-rule.js'

/** What a server says of the port on which it listens. */
const LISTENING: readonly RegExp[] = [
  /\b(?:listening|listens|running|started|serving|server|available|accepting connections|local)\b.{0,60}?\bhttps?:\/\/(?<address>[\w.-]{1,60}|\[[\da-f:]{2,39}\]):(?<port>\d{2,5})\b/i,
  /\b(?:listening|listens) (?:on|at) (?:tcp:\/\/)?(?<address>[\d.]{7,15}|localhost|\*|\[[\da-f:]{2,39}\])?:?(?<port>\d{2,5})(?!\.?\d)/i,
  /\b(?:listening|listens|running|started|server|app)\b.{0,40}? (?:on |at |with )?port(?:\(s\))?:? {0,2}(?<port>\d{2,5})\b/i,
  /WEBrick::HTTPServer#start: pid=\d{1,9} port=(?<port>\d{2,5})\b/,
  /has taken the stage on (?<port>\d{2,5}) for /,
]

const LOOPBACK = /^(?:127\.[\d.]{1,12}|localhost|\[::1\])$/

/** Services that applications look for beside them. What listens on their ports is not the application. */
const SERVICES: Readonly<Record<string, string>> = {
  '3306': 'MySQL',
  '5432': 'PostgreSQL',
  '5672': 'RabbitMQ',
  '6379': 'Redis',
  '9200': 'Elasticsearch',
  '11211': 'Memcached',
  '27017': 'MongoDB',
}
const SERVICE_PORT = `(?<port>${Object.keys(SERVICES).join('|')})\\b`

export const ADDRESS_RULES: readonly HintRule[] = [
  {
    name: 'privileged port',
    traces: [
      [/listen EACCES: permission denied (?:\S{0,45}:)?(?<port>\d{1,3})$/],
      [/PermissionError: \[Errno 13\] .{0,120}\(?'[\w.]{0,60}', (?<port>\d{1,3})\)/],
      [/listen tcp \S{0,45}:(?<port>\d{1,3}): bind: permission denied/],
      [/\(13\) ?Permission denied: AH\d{5}: make_sock: could not bind to address \S{1,45}:(?<port>\d{1,3})$/],
      [/bind\(\) to \S{1,45}:(?<port>\d{1,3}) failed \(13: Permission denied\)/],
    ],
    hint: (_context, { port = '' }) =>
      `It may not listen on port ${port}, which is for root: let it listen on the port that the variable PORT names.`,
  },
  {
    name: 'no service at its own address',
    traces: [
      [new RegExp(`connect ECONNREFUSED (?:127\\.0\\.0\\.1|::1):${SERVICE_PORT}`)],
      [
        new RegExp(
          `connection to server at "(?:localhost|127\\.0\\.0\\.1)".{0,50}, port ${SERVICE_PORT} failed: Connection refused`,
        ),
      ],
      [new RegExp(`Error (?:111|99) connecting to (?:localhost|127\\.0\\.0\\.1):${SERVICE_PORT}`)],
      [new RegExp(`Can't connect to (?:local )?MySQL server on '(?:localhost|127\\.0\\.0\\.1):${SERVICE_PORT}`)],
      [new RegExp(`dial tcp (?:127\\.0\\.0\\.1|\\[::1\\]):${SERVICE_PORT}: connect: connection refused`)],
      [new RegExp(`Connection to (?:localhost|127\\.0\\.0\\.1):${SERVICE_PORT} refused`)],
    ],
    hint: ({ program }, { port = '' }) =>
      program.kind === 'run'
        ? `It looks for ${SERVICES[port] ?? 'a service'} at port ${port} of its own container, where there is none: tell it with -e where one is, and let it reach that with --allow-egress.`
        : undefined,
  },
]

/** For a program that listens where nobody reaches it. It is not a failure: the program waits for requests. */
export function addressHint(lines: readonly string[], context: HintContext): string | undefined {
  const { published, port, program } = context
  if (program.kind !== 'run' || published.length === 0) return undefined
  const heard = lines.flatMap(listening)
  const reached = heard.filter((each) => published.includes(Number(each.port)))
  if (reached.length === 0) {
    const [other] = heard
    if (!other) return undefined
    const obeys = other.port === port ? '' : 'let it listen on the port that the variable PORT names, or '
    return `It listens on port ${other.port}, which is not published: ${obeys}publish that port with '${program.command} --publish ${other.port}'.`
  }
  if (reached.some(({ address }) => address === undefined || !LOOPBACK.test(address))) return undefined
  return `It listens only on the loopback address of its container, which nobody else reaches: let it listen on 0.0.0.0.`
}

interface Listening {
  readonly address: string | undefined
  readonly port: string
}

function listening(line: string): Listening[] {
  for (const pattern of LISTENING) {
    const { address, port = '' } = pattern.exec(line)?.groups ?? {}
    if (port !== '' && !(port in SERVICES) && Number(port) < 65_536) return [{ address, port }]
  }
  return []
}
