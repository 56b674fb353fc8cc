/** Messages that no honest controller sends, and what must become of each. */
export interface HostileMessage {
  readonly name: string
  /** Latin1. */
  readonly bytes: string
  /** `silence`: it is no JSON, and is counted. Otherwise the begin of `error` of the answer, or `staged`. */
  readonly answer: 'silence' | 'staged' | RegExp
}

/** Fields that differ from those of an honest request. CONTROLLER and FORBIDDEN stand for a port that is allowed, and for one that is not. */
function request(fields: object, properties: object = {}): string {
  return JSON.stringify({
    app_id: 'hostile',
    download_uri: 'http://127.0.0.1:CONTROLLER/',
    upload_uri: 'http://127.0.0.1:CONTROLLER/',
    ...fields,
    properties: { framework_info: { name: 'node' }, meta: { command: 'node x' }, ...properties },
  })
}

/** As bytes of UTF-8. */
const utf8 = (text: string) => Buffer.from(text).toString('latin1')

const NO_JSON = Object.entries({
  nothing: '',
  blanks: ' \n',
  'half a request': request({}).slice(0, 40),
  'two requests': request({}) + request({}),
  'a comma behind the last field': request({}).replace(/\}$/, ',}'),
  'a comment': `// please\n${request({})}`,
  'single quotes': request({}).replaceAll('"', "'"),
  'a number that is none': '{"app_id":NaN}',
  'a NUL behind it': `${request({})}\0`,
  'bytes that are no UTF-8': request({ app_id: 'X' }).replace('X', '\xff\xfe'),
  'half of a character': request({ app_id: 'X' }).replace('X', '\xed\xa0\x80'),
  UTF16: Buffer.from(request({}), 'utf16le').toString('latin1'),
  'half a million open brackets': '['.repeat(500_000),
  'a zip': 'PK\x03\x04',
}).map(([name, bytes]): HostileMessage => ({ name, bytes, answer: 'silence' }))

const WRONG = 'bad-request'
const NO_REQUEST = Object.entries({
  null: 'null',
  'a number': '1e999',
  'half a million brackets': `${'['.repeat(250_000)}${']'.repeat(250_000)}`,
  'a list of requests': `[${request({})}]`,
  'no app_id': request({ app_id: undefined }),
  'an empty app_id': request({ app_id: '' }),
  'an app_id of 2000 characters': request({ app_id: 'x'.repeat(2000) }),
  'an app_id that is a list': request({ app_id: ['x'] }),
  'an app_id that is no whole number': '{"app_id":1e999}',
  'no properties': request({}).replace('"properties"', '"property"'),
  'properties that are a text': request({}, {}).replace(/"properties":.*$/, '"properties":"x"}'),
  'fields of the prototype': request({}).replace('"app_id"', '"__proto__":{"app_id":"x"},"no"'),
  'a framework that is a number': request({}, { framework_info: { name: 1 } }),
  'a variable without a name': request({}, { environment: ['=x'] }),
  'a variable that is a number': request({}, { environment: { A: 1 } }),
  'a variable with a line feed in its name': request({}, { environment: ['A\nB=x'] }),
  'a variable with a command in its name': request({}, { environment: { 'A;reboot': 'x' } }),
  'a variable with a NUL': request({}, { environment: ['A=x\0y'] }),
  'a command with a NUL': request({}, { meta: { command: 'node\0x' } }),
  'a prototype among the variables': request({}, { environment: {} }).replace(
    '"environment":{}',
    '"environment":{"__proto__":"x"}',
  ),
  'a URI that is a list': request({ download_uri: ['http://127.0.0.1:CONTROLLER/'] }),
}).map(([name, bytes]): HostileMessage => ({ name: `${name} (${WRONG})`, bytes, answer: /./ }))

const UNREACHABLE = [
  'http://127.0.0.2:FORBIDDEN/',
  'http://127.2:FORBIDDEN/',
  'http://0x7f000002:FORBIDDEN/',
  'http://2130706434:FORBIDDEN/',
  'http://017700000002:FORBIDDEN/',
  'http://[::ffff:127.0.0.2]:FORBIDDEN/',
  'http://127.0.0.1:CONTROLLER@127.0.0.2:FORBIDDEN/',
  'http://127.0.0.2:FORBIDDEN\\@127.0.0.1:CONTROLLER/',
  'http://127.0.0.1:CONTROLLER/redirect-to-forbidden',
  'http://0.0.0.0:FORBIDDEN/',
  'http://[::]:FORBIDDEN/',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://[fe80::1]/',
  'file:///etc/passwd',
  'ftp://127.0.0.2:FORBIDDEN/',
  'unix:/var/run/docker.sock:/v1.40/containers/json',
  'http+unix://%2Fvar%2Frun%2Fdocker.sock/info',
  'data:application/zip;base64,UEsDBA==',
  'http://127.0.0.1:0/',
  'http://127.0.0.1:99999/',
  'http://a\r\nX: y/',
  '//127.0.0.2:FORBIDDEN/',
  '',
].map((uri): HostileMessage => ({
  name: `downloads ${JSON.stringify(uri)}`,
  bytes: request({ download_uri: uri }),
  answer: uri === '' ? /./ : /^Failed downloading app$/,
}))

const UPLOADS = ['http://127.0.0.2:FORBIDDEN/', 'http://169.254.169.254/', 'file:///tmp/x'].map(
  (uri, index): HostileMessage => ({
    name: `uploads to ${JSON.stringify(uri)}`,
    bytes: request({ app_id: `upload-${index}`, upload_uri: uri }),
    answer: /^Failed uploading droplet$/,
  }),
)

/** Odd, and nobody is harmed: names become those of packages, and the rest are values. */
const ODD = Object.entries({
  'an app_id that climbs out': request({ app_id: '../../../etc/passwd' }),
  'an app_id that is an option': request({ app_id: '--privileged' }),
  'an app_id of another namespace': request({ app_id: 'package::/::any' }),
  'an app_id with control characters': request({ app_id: 'a\0\n\x1b[2J' }),
  'an app_id that is written backwards': utf8(request({ app_id: '\u202eppa' })),
  'an app_id with half of a pair': request({ app_id: 'X' }).replace('X', '\\ud800'),
  'a mark of the order of bytes': utf8(`\ufeff${request({ app_id: 'with-mark' })}`),
  'an app_id that is a number': request({ app_id: 7 }),
  'fields twice': request({ app_id: 'twice' }).replace('{', '{"app_id":"once",'),
  'a hundred thousand brackets where nobody looks': request({ app_id: 'deep' }).replace(
    '{',
    `{"services":${'['.repeat(100_000)}${']'.repeat(100_000)},`,
  ),
  'a variable with a command in it': request({ app_id: 'value' }, { environment: ['A=$(reboot)`reboot`"\'\n;reboot'] }),
  'a variable twice': request({ app_id: 'both' }, { environment: ['A=1', 'A=2'] }),
}).map(([name, bytes]): HostileMessage => ({ name, bytes, answer: 'staged' }))

export const HOSTILE_MESSAGES: readonly HostileMessage[] = [
  ...NO_JSON,
  ...NO_REQUEST,
  ...UNREACHABLE,
  ...UPLOADS,
  ...ODD,
]
