/** Bytes that no honest client sends, and what must be answered at each door. */
export interface HostileRequest {
  readonly name: string
  /** Latin1. READ, CHANGE and UPLOAD stand for a request line of the door without its version, HOST for its Host header, FORM for its type of documents. */
  readonly bytes: string
  /** What the client does behind the bytes. By default, it waits for the answer. */
  readonly then?: 'half-close' | 'reset'
  /** The statuses that are answered, in order, at the Stager API and at the control API. Undefined: not sent there. */
  readonly stager: readonly number[] | undefined
  readonly control: readonly number[] | undefined
}

const line = (request: string, ...headers: string[]) =>
  `${[`${request} HTTP/1.1`, 'HOST', ...headers].join('\r\n')}\r\n\r\n`
const read = (...headers: string[]) => line('READ', ...headers)
const change = (...headers: string[]) => line('CHANGE', ...headers)
const upload = (...headers: string[]) => line('UPLOAD', ...headers)
const chunked = (body: string) => change('FORM', 'Transfer-Encoding: chunked') + body
const multipart = (body: string) =>
  change('Content-Type: multipart/form-data; boundary=x', `Content-Length: ${body.length}`) + body
const SMUGGLED = line('CHANGE', 'Content-Length: 0')

type Row = readonly [
  name: string,
  bytes: string,
  stager: readonly number[] | undefined,
  control: readonly number[] | undefined,
  then?: HostileRequest['then'],
]

const BAD = [499] as const
const bad = (name: string, bytes: string, then?: HostileRequest['then']): Row => [name, bytes, BAD, [400], then]

const ROWS: readonly Row[] = [
  // Two lengths, and lengths that are none: whoever reads them differently takes a part of a body for a request.
  bad('a length and chunks', change('Content-Length: 4', 'Transfer-Encoding: chunked') + `0\r\n\r\n${SMUGGLED}`),
  bad('chunks and a length', change('Transfer-Encoding: chunked', 'Content-Length: 4') + `0\r\n\r\n${SMUGGLED}`),
  bad('two lengths', change('Content-Length: 0', 'Content-Length: 4') + SMUGGLED),
  bad('one length twice', change('Content-Length: 4', 'Content-Length: 4') + 'a=bc'),
  bad('a list of lengths', change('Content-Length: 4, 4') + 'a=bc'),
  ...['+4', '-4', '0x4', '4e0', '4.0', '', '4;', '99999999999999999999', '18446744073709551616'].map((length) =>
    bad(`the length "${length}"`, change(`Content-Length: ${length}`) + 'a=bc'),
  ),
  ...[
    'xchunked',
    'chunked, identity',
    'identity',
    'chunked;q=1',
    'gzip, chunked, chunked',
    '\x0bchunked',
    'CHUNKED\0',
  ].map((coding) =>
    bad(`the coding ${JSON.stringify(coding)}`, change(`Transfer-Encoding: ${coding}`) + `0\r\n\r\n${SMUGGLED}`),
  ),
  bad('two codings', change('Transfer-Encoding: chunked', 'Transfer-Encoding: identity') + `0\r\n\r\n${SMUGGLED}`),
  bad('a blank before the colon of a length', change('Content-Length : 4') + 'a=bc'),
  bad('a length on a folded line', change('X: y', ' Content-Length: 4') + 'a=bc'),

  // Chunks.
  bad('a chunk whose length is no number', chunked('zz\r\nabc\r\n0\r\n\r\n')),
  bad('a chunk of a negative length', chunked('-1\r\nabc\r\n0\r\n\r\n')),
  bad('a chunk of 2^68 bytes', chunked('FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n')),
  bad('a chunk that is longer than it says', chunked('1\r\nabc\r\n0\r\n\r\n')),
  bad('a chunk without a line end', chunked('3\r\nabc0\r\n\r\n')),
  bad('a chunk with a blank before its length', chunked(' 3\r\nabc\r\n0\r\n\r\n')),
  bad('a chunk with a hexadecimal prefix', chunked('0x3\r\nabc\r\n0\r\n\r\n')),
  bad('a chunk with an extension of 20 KB', chunked(`3;${'x'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`)),
  bad('chunks that never end', chunked('3\r\nabc\r\n'), 'half-close'),

  // Lines and headers.
  bad('a NUL in a header', read('X: a\0b')),
  bad('a bare line end of a header', `READ HTTP/1.1\r\nHOST\nX: y\r\n\r\n`),
  bad('a bare carriage return in a header', read('X: a\rb')),
  bad('a header without a colon', read('no header')),
  bad('a header without a name', read(': x')),
  bad('a blank in a header name', read('A B: x')),
  bad('a header name that is not ASCII', read('\xe9: x')),
  bad('a line before the request', `X: y\r\n\r\n${read()}`),
  ['a header of 20 KB', read(`X: ${'y'.repeat(20_000)}`), BAD, [431]],
  ['a thousand headers', read(...Array.from({ length: 1500 }, (_, n) => `X${n}: yyyyyyyy`)), BAD, [431]],
  ['a request line of 20 KB', `READ${'x'.repeat(20_000)} HTTP/1.1\r\nHOST\r\n\r\n`, BAD, [431]],
  bad('a head that never ends', 'READ HTTP/1.1\r\nHOST\r\nX: y', 'half-close'),
  bad('a request line alone', 'READ HTTP/1.1\r\n', 'half-close'),
  ['a header that is not UTF-8', read('X: \xff\xfe\x80'), [200], [200]],
  ['a header of JavaScript', read('__proto__: x', 'constructor: y'), [200], [200]],

  // Versions, methods, other protocols.
  bad('HTTP/0.9', 'READ\r\n', 'half-close'),
  bad('HTTP/9.9', 'READ HTTP/9.9\r\nHOST\r\n\r\n'),
  bad('HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  bad('a method in lower case', 'get / HTTP/1.1\r\nHOST\r\n\r\n'),
  bad('a method that there is not', 'EVIL / HTTP/1.1\r\nHOST\r\n\r\n'),
  bad('no method', ' / HTTP/1.1\r\nHOST\r\n\r\n'),
  bad('a greeting of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  bad('a greeting of SSH', 'SSH-2.0-OpenSSH_9.2\r\n'),
  bad('noise', Array.from({ length: 256 }, (_, n) => String.fromCharCode((n * 167 + 13) % 256)).join('')),
  ['HTTP/1.0 without a host', 'READ HTTP/1.0\r\n\r\n', [200], [200]],
  ['CONNECT', 'CONNECT evil:443 HTTP/1.1\r\nHOST\r\n\r\n', BAD, undefined],
  ['TRACE', line('TRACE /'), [450], [404]],
  ['OPTIONS for everything', line('OPTIONS *'), [451], [404]],

  // Paths.
  ['another host in the request line', line('GET http://evil.example/v1/packages'), [451], [200]],
  ['a path that climbs', line('GET /../../etc/passwd'), [451], [404]],
  ['a path that climbs in percents', line('GET /%2e%2e/%2e%2e/etc/passwd'), [451], [404]],
  ['a path with a slash in percents', line('GET /v1%2fpackages'), [451], [404]],
  ['a path of overlong UTF-8', line('GET /%c0%ae%c0%ae/etc/passwd'), [451], [400]],
  ['a path with a broken percent', line('GET /v1/packages/%zz'), [451], [400]],
  ['a path with a NUL in percents', line('GET /v1/packages/a%00b'), [451], [400]],
  bad('a path with a raw byte', line('GET /v1/packages/\xff')),
  ['a path with a backslash', line('GET /v1\\..\\packages'), [451], [404]],
  ['two slashes before a host', line('GET //evil.example/v1/packages'), [451], [404]],
  bad('a path without a slash', line('GET v1/packages')),
  bad('a path with a blank', line('GET /a b')),
  ['a path of JavaScript', line('GET /__proto__/constructor'), [451], [404]],
  ['a path of 8 KB', line(`GET /v1/packages/${'x'.repeat(8000)}`), [451], [400]],

  // Who is meant.
  ['no host', 'READ HTTP/1.1\r\n\r\n', [200], [400]],
  ['two hosts', read('Host: evil.example'), [200], [200]],
  ['another host', 'READ HTTP/1.1\r\nHost: evil.example\r\n\r\n', [200], [200]],
  [
    'another method in a header',
    read('X-HTTP-Method-Override: DELETE', 'X-Original-URL: /v1/node/drain'),
    [200],
    [200],
  ],
  ['an origin of the web', read('Origin: https://evil.example'), [200], [403]],

  // Expectations and upgrades.
  ['an expectation that there is not', read('Expect: 200-maybe'), [200], [417]],
  ['an expectation of a read', read('Expect: 100-continue'), undefined, [100, 200]],
  ['an upgrade to a web socket', read('Connection: Upgrade', 'Upgrade: websocket'), [200], [200]],
  [
    'an upgrade to HTTP/2',
    read('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMA'),
    [200],
    [200],
  ],
  ['a connection that is closed and kept', read('Connection: close, keep-alive'), [200], [200]],
  [
    'a length that is only of this hop',
    change('Connection: Content-Length', 'Content-Length: 4') + 'a=bc',
    [448],
    [415],
  ],

  // Order.
  [
    'a hundred requests at once',
    read().repeat(100),
    Array.from({ length: 100 }, () => 200),
    Array.from({ length: 100 }, () => 200),
  ],
  // Whoever sends noise behind a request may lose its answer, and gets no second one.
  ['a request, and noise behind it', `${read()}\0\0\0\0`, [], [400]],
  ['a body of a read, and a request in it', read(`Content-Length: ${SMUGGLED.length}`) + SMUGGLED, undefined, [200]],
  [
    'a body that is longer than its length',
    change('Content-Length: 2', 'Content-Type: application/json') + '{}{}',
    undefined,
    [400],
  ],

  // Bodies.
  bad(
    'an upload that ends before its length',
    upload('Content-Type: application/octet-stream', 'Content-Length: 1000000') + 'half',
    'half-close',
  ),
  [
    'an upload that is reset',
    upload('Content-Type: application/octet-stream', 'Content-Length: 1000000') + 'half',
    [],
    [],
    'reset',
  ],
  [
    'an upload that is no archive',
    upload('Content-Type: application/octet-stream', 'Content-Length: 4') + 'EVIL',
    undefined,
    [400],
  ],
  [
    'a body in a coding of its own',
    change('Content-Encoding: gzip', 'Content-Type: application/json', 'Content-Length: 4') + '\x1f\x8b\x08\0',
    BAD,
    [400],
  ],
  [
    'a body that is not UTF-8',
    change('Content-Type: application/json', 'Content-Length: 4') + '"\xff\xfe"',
    BAD,
    [400],
  ],
  ['a body of five megabytes', change('Content-Type: application/json', 'Content-Length: 5000000'), BAD, [413]],
  [
    'a body of deep brackets',
    change('Content-Type: application/json', 'Content-Length: 100000') + '['.repeat(100_000),
    BAD,
    [400],
  ],
  [
    'a body that names the prototype',
    change('Content-Type: application/json', 'Content-Length: 31') + '{"__proto__":{"polluted":true}}',
    BAD,
    [400],
  ],
  [
    'a form of many parts without an end',
    change('Content-Type: multipart/form-data; boundary=x', 'Content-Length: 61') +
      '--x\r\nContent-Disposition: form-data; name="resource"\r\n\r\nenvir',
    BAD,
    [415],
  ],
  [
    'a form with a file that is cut off',
    multipart('--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nhalf'),
    BAD,
    [415],
  ],
  [
    'a form with a file without a name',
    multipart('--x\r\nContent-Disposition: form-data; filename="b"\r\n\r\nx\r\n--x--'),
    BAD,
    [415],
  ],
  [
    'a form with a long part that nobody reads',
    multipart(`--x\r\nX: y\r\n\r\n${'y'.repeat(70_000)}\r\n--x--`),
    [448],
    [415],
  ],
  ['a form with a long part without a header', multipart(`--x\r\n\r\n${'y'.repeat(70_000)}\r\n--x--`), [448], [415]],
  ['a form of more parts than fields', multipart(`${'--x\r\nX: y\r\n\r\nx\r\n'.repeat(40)}--x--`), BAD, [415]],
  [
    'a form of parts without a boundary',
    change('Content-Type: multipart/form-data', 'Content-Length: 4') + 'a=bc',
    BAD,
    [415],
  ],
]

export const HOSTILE_REQUESTS: readonly HostileRequest[] = ROWS.map(([name, bytes, stager, control, then]) => ({
  name,
  bytes,
  stager,
  control,
  ...(then === undefined ? {} : { then }),
}))
