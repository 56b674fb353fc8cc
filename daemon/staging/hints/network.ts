import { HOST, NPM, allowEgress, type HintContext, type HintRule } from './hint-rule.js'
import type { Trace } from './trace.js'

/** Final errors about a name that cannot be resolved. Warnings before a retry are not among them. */
const UNKNOWN_NAMES: readonly Trace[] = [
  [new RegExp(`${NPM} .*getaddrinfo (?:EAI_AGAIN|ENOTFOUND) ${HOST}`)],
  [new RegExp(`^error .*getaddrinfo (?:EAI_AGAIN|ENOTFOUND) ${HOST}`)],
  [/ERR_PNPM_(?:META_FETCH_FAIL|FETCH_|TARBALL)/, new RegExp(`getaddrinfo (?:EAI_AGAIN|ENOTFOUND) ${HOST}`)],
  [new RegExp(`^(?:[\\w.]{0,40}Error|\\[cause\\]|reason|cause): .{0,200}getaddrinfo (?:EAI_AGAIN|ENOTFOUND) ${HOST}`)],
  [
    /(?:Could not find a version that satisfies the requirement|No matching distribution found for) /,
    /Retrying \(Retry\(total=\d.{0,300}Temporary failure in name resolution/,
  ],
  [new RegExp(`Failed to resolve '${HOST}' \\(\\[Errno -[23]\\]`)],
  [
    new RegExp(
      `HTTPSConnectionPool\\(host='${HOST}', port=\\d{1,5}\\): Max retries exceeded with url: .{0,300}Name(?: or service not known|Resolution)`,
    ),
  ],
  [new RegExp(`^curl: \\(6\\) Could not resolve host: ${HOST}`)],
  [new RegExp(`^fatal: unable to access '.{1,200}': Could not resolve host: ${HOST}`)],
  [new RegExp(`curl error 6 while downloading .{1,300}: Could not resolve host: ${HOST}`)],
  [new RegExp(`^wget: unable to resolve host address [‘'"]${HOST}`)],
  [new RegExp(`^wget: bad address '${HOST}`)],
  [new RegExp(`Could not reach host ${HOST}\\. Check your network connection`)],
  [new RegExp(`^(?!Retrying).{0,300}?Failed to open TCP connection to ${HOST}:\\d{1,5} \\(getaddrinfo`)],
  [
    /^ERROR: {1,4}(?:Could not find a valid gem|While executing gem)/,
    new RegExp(`(?:getaddrinfo|Unable to resolve)[^()]{0,120}\\(?https?://${HOST}`),
  ],
  [
    /Could not fetch specs from https?:\/\/(?<host>(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24})\/? due to underlying error <.{0,200}getaddrinfo/,
  ],
  [new RegExp(`dial tcp: lookup ${HOST}(?: on [\\d.:]{1,30})?: `)],
  [
    /Could not (?:transfer|GET|HEAD|resolve|find artifact)/,
    new RegExp(`(?:^|[ :>])${HOST}: (?:Temporary failure in name resolution|Name or service not known)`),
  ],
  [new RegExp(`Unknown host ${HOST}`)],
  [new RegExp(`java\\.net\\.UnknownHostException: ${HOST}`)],
  [new RegExp(`^E: .{0,300}Temporary failure resolving '${HOST}'`)],
  // A failed update of the lists is only a warning.
  [
    /^E: (?:Unable to locate package|Package '.{1,80}' has no installation candidate)/,
    new RegExp(`Temporary failure resolving '${HOST}'`),
  ],
  [/^urllib\.error\.URLError: <urlopen error \[Errno -[23]\]/],
  [/^! Couldn't find module or a distribution /, /^! Finding .{1,120} on (?:cpanmetadb|mirror|MetaCPAN)/],
  [/^ERROR: unable to select packages:/, new RegExp(`fetching https?://${HOST}.{0,200}: (?:temporary error|DNS)`)],
]

/** Final errors about a host that was found, but does not answer. */
const NO_ANSWERS: readonly Trace[] = [
  [
    /^npm (?:ERR!|error) code (?:ETIMEDOUT|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET_TIMEOUT|FETCH_ERROR)$/,
    new RegExp(`${NPM} .{0,20}request to https?://${HOST}`),
  ],
  [
    new RegExp(
      `^error .*\\bhttps?://${HOST}[^ "]{0,200}: (?:ESOCKETTIMEDOUT|ETIMEDOUT|connect ETIMEDOUT|connect ECONNREFUSED)`,
    ),
  ],
  [
    /(?:Could not find a version that satisfies the requirement|No matching distribution found for) /,
    /Retrying \(Retry\(total=\d.{0,300}(?:Connection refused|timed out|Network is unreachable|No route to host)/,
  ],
  [
    new RegExp(
      `HTTPSConnectionPool\\(host='${HOST}', port=\\d{1,5}\\): (?:Read timed out|Max retries exceeded with url: .{0,300}(?:timed out|Connection refused|unreachable|No route))`,
    ),
  ],
  [new RegExp(`^curl: \\((?:7|28)\\) Failed to connect to ${HOST}`)],
  [new RegExp(`^fatal: unable to access '.{1,200}': Failed to connect to ${HOST}`)],
  [new RegExp(`curl error (?:7|28) while downloading https?://${HOST}`)],
  [
    new RegExp(
      `^(?!Retrying).{0,300}?Failed to open TCP connection to ${HOST}:\\d{1,5} \\((?:Connection refused|Connection timed out|execution expired|No route to host|Network is unreachable)`,
    ),
  ],
  [new RegExp(`Net::OpenTimeout: .{0,80}TCP connection to ${HOST}`)],
  [new RegExp(`"https?://${HOST}[^"]{0,300}": dial tcp [\\d.:\\[\\]a-f]{3,60}: (?:i/o timeout|connect: )`)],
  [new RegExp(`Connect to ${HOST}:\\d{1,5} \\[.{0,200}\\] failed: `)],
  [new RegExp(`Could not connect to ${HOST}:\\d{1,5} \\([\\d.]{7,15}\\)[.,]`)],
]

const PROXY_REFUSES: readonly Trace[] = [
  [/\b407 Proxy Authentication Required/],
  [/tunneling socket could not be established, (?:statusCode|cause)=/],
  [/Received HTTP code \d{3} from proxy after CONNECT/],
  [/CONNECT tunnel failed, response \d{3}/],
  [/Tunnel connection failed: \d{3} /],
  [/Unable to tunnel through proxy\. Proxy returns "HTTP\/1\.[01] \d{3}/],
  [/Proxy response \(\d{3}\) !== 200 when HTTP Tunneling/],
]

const PROXY_NOT_REACHED: readonly Trace[] = [
  [/ProxyError\('(?:Cannot|Unable to) connect to (?:the )?proxy/],
  [/\bproxyconnect tcp: /],
  [/Could not resolve proxy: /],
]

/** Networks that cannot be reached from the container, or only through a proxy. */
export const NETWORK_RULES: readonly HintRule[] = [
  {
    name: 'proxy refuses',
    traces: PROXY_REFUSES,
    hint: ({ egress }) =>
      egress
        ? "The proxy refuses the connection: check the user and password in the settings 'http-proxy' and 'https-proxy' of stagerd, and that the proxy allows this host; 'no-proxy' has what is reached without it."
        : undefined,
  },
  {
    name: 'proxy is not reached',
    traces: PROXY_NOT_REACHED,
    hint: (context) =>
      context.egress
        ? "The proxy does not answer: check its address and port in the settings 'http-proxy' and 'https-proxy' of stagerd; they must be ones that containers can reach."
        : `It tries to use a proxy, but has no network access beyond the coordinator: if it needs that, ${allowEgress(context)}.`,
  },
  {
    name: 'unknown host',
    traces: UNKNOWN_NAMES,
    hint: (context, { host }) =>
      context.egress ? noAnswer(context, host, 'cannot be found') : noEgress(context, host),
  },
  {
    name: 'no answer',
    traces: NO_ANSWERS,
    hint: (context, { host }) =>
      context.egress ? noAnswer(context, host, 'does not answer') : noEgress(context, host),
  },
  {
    name: 'registry has a fault',
    traces: [
      [/^npm (?:ERR!|error) code E(?<status>50[0234])$/],
      [/curl: \(22\) The requested URL returned error: (?<status>50[0234])/],
      [/returned (?:an invalid response|error|status code):? ?(?<status>50[0234])\b/],
      [/status code:? (?<status>50[0234]), reason phrase:/],
    ],
    hint: ({ egress }, { status = '' }) =>
      egress
        ? `The registry or its proxy has a fault (HTTP ${status}): stage again later, or use another registry.`
        : undefined,
  },
  {
    name: 'too many requests',
    traces: [
      [/^npm (?:ERR!|error) code E429$/],
      [/\b429 Too Many Requests\b/],
      [/429 Client Error: Too Many Requests/],
    ],
    hint: ({ egress }) =>
      egress
        ? 'The registry refuses further requests for now (HTTP 429): stage again later, or use a mirror.'
        : undefined,
  },
]

/** cpanm and pip do not say which host it was. */
function noEgress(context: HintContext, host = 'the registry'): string {
  const instead = context.program.kind === 'stager' ? ', or put the dependencies into the source' : ''
  return `It cannot reach ${host}, because it has no network access: ${allowEgress(context)}${instead}.`
}

function noAnswer({ proxy }: HintContext, host = 'The registry', what: string): string {
  return proxy
    ? `${host} ${what}: check that the proxy in the settings of stagerd lets it through ('http-proxy', 'https-proxy', 'no-proxy'), and try again.`
    : `${host} ${what}: check from this host that it answers; where the network is left through a proxy, set 'http-proxy' and 'https-proxy' of stagerd.`
}
