import { createHash, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { BadInput, Conflict, Fault, Refused, type StagerdError, TooLarge, Unavailable } from '../../../base/errors.js'
import { openCoordinator } from '../../support/open-coordinator.js'

const form = (text: string) => ({ method: 'PUT', body: new URLSearchParams(text) })
const multipart = (body: string) => ({
  method: 'PUT',
  body,
  headers: { 'content-type': 'multipart/form-data; boundary=b' },
})
const POST = { method: 'POST' }
const DATA = 'a tarball'
const SHA256 = createHash('sha256').update(DATA).digest('hex')
const SHA1 = createHash('sha1').update(DATA).digest('hex')
const upload = { method: 'POST', body: DATA }
const withFile = new FormData()
withFile.append('resource', new Blob(['environment']), 'resource.txt')

/** Every refusal that the coordinator itself decides: request and answer. LAUNCH stands for the UUID of the launch. */
const REFUSALS: readonly [status: number, path: string, init: RequestInit, text: RegExp | string][] = [
  [450, '/', {}, /missing a UUID/],
  [450, '/data', {}, /missing a UUID.*STAGER_URL/],
  [450, '//meta/', {}, /missing a UUID/],
  [450, '/done', POST, /missing a UUID/],

  [451, '/undefined/data', {}, /"undefined" is not a UUID/],
  [451, '/LAUNCH0/data', {}, /is not a UUID/],
  [451, '/00000000-0000-0000-0000-000000000000/meta', {}, /is not a UUID/],
  [451, '/__proto__/done', POST, /is not a UUID/],
  [451, '/..%2f..%2fetc/passwd', {}, /is not a UUID/],

  [452, `/${randomUUID()}/data`, {}, /not that of the current launch/],
  [452, `/${randomUUID()}/no-such-operation`, {}, /not that of the current launch/],

  [448, '/LAUNCH/meta', form('resource=labels&action=add'), /"labels" is not supported.*environment, provides/],
  [448, '/LAUNCH/meta', form('resource=__proto__&action=add'), /"__proto__" is not supported/],
  [448, '/LAUNCH/meta', form('resource=&action=add'), /"" is not supported/],
  [448, '/LAUNCH/meta', form(''), /without a resource is not supported/],

  [445, '/LAUNCH/meta', form('resource=environment&action=add&key=A&value=%00'), /^Failed to marshal .* NUL/],
  [
    445,
    '/LAUNCH/meta',
    form(`resource=environment&action=add&key=A&value=${'x'.repeat(100_000)}`),
    /longer than 96 KiB/,
  ],

  [499, '/LAUNCH', {}, /names no operation.*data, meta/],
  [499, '/LAUNCH/nothing', {}, /"nothing" is not an operation/],
  [499, '/LAUNCH/data/more', {}, /"data\/more" is not an operation/],
  [499, '/LAUNCH/%zz', {}, /is not an operation/],
  [499, '/LAUNCH/data', { method: 'PUT', body: 'x' }, 'PUT is not a method of data: use GET or POST.'],
  [499, '/LAUNCH/data', { method: 'PROPFIND' }, 'PROPFIND is not a method of data: use GET or POST.'],
  [499, '/LAUNCH/meta', { method: 'DELETE' }, 'DELETE is not a method of meta: use GET or PUT.'],
  [499, '/LAUNCH/done', {}, 'GET is not a method of done: use POST.'],

  [499, '/LAUNCH/meta', form('resource=environment'), /names no action: action is add or remove/],
  [499, '/LAUNCH/meta', form('resource=environment&action=set&key=A&value=1'), /"set" is not an action/],
  [499, '/LAUNCH/meta', form('resource=environment&action=add&value=1'), /no key/],
  [499, '/LAUNCH/meta', form('resource=environment&action=add&key=A'), /no value/],
  [
    499,
    '/LAUNCH/meta',
    form('resource=environment&action=add&key=A%3DB&value=1'),
    /cannot name an environment variable/,
  ],
  [499, '/LAUNCH/meta', form('resource=environment&action=add&key=__proto__&value=1'), /cannot name an environment/],
  [
    499,
    '/LAUNCH/meta',
    form('resource=provides&action=add&type=service&name=x'),
    /"service" is not a type of provides/,
  ],
  [499, '/LAUNCH/meta', form('resource=dependencies&action=add&type=os'), /no name/],
  [499, '/LAUNCH/meta', form('resource=dependencies&action=add&type=os&name=two words'), /printable characters/],
  [499, '/LAUNCH/meta', form('resource=templates&action=add'), /no path/],
  [499, '/LAUNCH/meta', form('resource=templates&action=add&path=../x'), /not a path of a template/],
  [499, '/LAUNCH/meta', form('resource=templates&action=add&path=x&left_delimiter='), /not a delimiter/],
  [499, '/LAUNCH/meta', form('resource=environment&resource=provides&action=add'), /"resource" more than once/],
  [499, '/LAUNCH/meta', form(Array.from({ length: 33 }, (_, i) => `f${i}=1`).join('&')), /more than 32 fields/],
  [499, '/LAUNCH/meta', { method: 'PUT', body: '{}', headers: { 'content-type': 'application/json' } }, /send a form/],
  [499, '/LAUNCH/meta', { method: 'PUT', body: withFile }, /"resource" as a file/],
  [
    499,
    '/LAUNCH/meta',
    { method: 'PUT', body: 'x', headers: { 'content-type': 'multipart/form-data' } },
    /names no boundary/,
  ],
  [
    499,
    '/LAUNCH/meta',
    multipart('--b\r\nContent-Disposition: form-data\r\n\r\nenvironment\r\n--b--\r\n'),
    /has no name/,
  ],
  [
    499,
    '/LAUNCH/meta',
    multipart('--b\r\nContent-Disposition: form-data; filename=x\r\n\r\nx\r\n--b--\r\n'),
    /has no name/,
  ],
  // An error that nobody listened to ended the daemon.
  [
    499,
    '/LAUNCH/meta',
    multipart('--b\r\nContent-Disposition: form-data; name="a"; filename="x"\r\n\r\nhalf'),
    /"a" as a file/,
  ],
  [499, '/LAUNCH/meta', multipart('--b\r\n'), /damaged/],
  // More than the parser keeps of a part that nobody reads: it waited for a reader.
  [448, '/LAUNCH/meta', multipart(`--b\r\nX: y\r\n\r\n${'x'.repeat(70_000)}\r\n--b--\r\n`), /without a resource/],
  [448, '/LAUNCH/meta', multipart(`--b\r\n\r\n${'x'.repeat(70_000)}\r\n--b--\r\n`), /without a resource/],
  [499, '/LAUNCH/meta', multipart(`${'--b\r\nX: y\r\n\r\nx\r\n'.repeat(34)}--b--\r\n`), /more than 32 fields/],
  [
    499,
    '/LAUNCH/meta',
    { method: 'PUT', body: 'key=%ff', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    /not UTF-8/,
  ],

  [499, '/LAUNCH/data', upload, /no checksum.*sha256=HEX/],
  [499, `/LAUNCH/data?sha256=`, upload, /"" is not a sha256 checksum/],
  [499, `/LAUNCH/data?sha256=${SHA1}`, upload, /is not a sha256 checksum: it has 64/],
  [499, `/LAUNCH/data?sha1=${'g'.repeat(40)}`, upload, /is not a sha1 checksum/],
  [499, `/LAUNCH/data?sha256=${SHA256}&sha256=${SHA256}`, upload, /has sha256 2 times: give it once/],
  [499, `/LAUNCH/data?sha256=${'0'.repeat(64)}`, upload, /The sha256 of the upload is/],
  [499, `/LAUNCH/data?sha256=${SHA256}&sha1=${'0'.repeat(40)}`, upload, /The sha1 of the upload is/],
  [499, `/LAUNCH/data?sha256=${SHA256}`, POST, /empty/],
  [
    499,
    `/LAUNCH/data?sha256=${SHA256}`,
    { method: 'POST', body: new Blob([DATA]).stream(), duplex: 'half' },
    'You must provide a Content-Length when uploading',
  ],

  [499, '/LAUNCH/snapshot?directory=/a&directory=/b', POST, /directory 2 times/],
  [499, '/LAUNCH/snapshot?directory=/a', { method: 'POST', body: new URLSearchParams('directory=/b') }, /different/],
]

describe('a refusal', () => {
  it.each(REFUSALS)('%i for %s %o', async (status, path, init, text) => {
    const { origin, handler, logged } = await openCoordinator()
    const before = { data: handler.data, meta: handler.meta }
    const response = await fetch(origin + path.replace('LAUNCH', handler.launch), init)
    const body = await response.text()
    expect(response.status).toBe(status)
    if (typeof text === 'string') expect(body).toBe(text)
    else expect(body).toMatch(text)
    // Whoever sees only the number finds the text in the log of the staging.
    expect(handler.refusals).toEqual([expect.stringMatching(new RegExp(`^[A-Z]+ /.* was refused with ${status} \\(`))])
    expect(handler.refusals[0]).toMatch(/[^:]: /)
    expect(handler.refusals[0]?.endsWith(`): ${body}`)).toBe(true)
    // One line. The stager caused it: nothing changes, and nothing is logged.
    expect(body).not.toMatch(/[\n\r]|\bat .*:\d+/)
    expect({ data: handler.data, meta: handler.meta }).toEqual(before)
    expect(logged).toEqual([])
  })
})

describe('445 for GET /meta', () => {
  it.each([
    ['a value that is not text', { A: 1 as unknown as string }, /"A" is not text/],
    ['a value that is not Unicode', { A: '\ud800' }, /"A" is not Unicode/],
    ['a value with a NUL', { A: 'x\0' }, /NUL/],
    ['a key that names no variable', { 'A=B': 'x' }, /"A=B" cannot name/],
  ])('when the environment holds %s', async (_, environment, text) => {
    const { url, handler } = await openCoordinator()
    handler.meta = { ...handler.meta, environment }
    const response = await fetch(`${url}/meta`)
    expect(response.status).toBe(445)
    expect(await response.text()).toMatch(/^Failed to marshal environment variables: /)
    expect(await (await fetch(`${url}/meta`)).text()).toMatch(text)
  })

  it('ends when the stager removes the invalid value', async () => {
    const { url, handler } = await openCoordinator()
    handler.meta = { ...handler.meta, environment: { A: 'x\0', B: '1' } }
    await fetch(`${url}/meta`, form('resource=environment&action=remove&key=A'))
    expect(await (await fetch(`${url}/meta`)).json()).toMatchObject({ environment: { B: '1' } })
  })
})

describe('452 after a verdict', () => {
  it.each([
    ['data', {}],
    ['meta', {}],
    ['meta', form('resource=environment&action=add&key=A&value=1')],
    [`data?sha256=${SHA256}`, upload],
    ['snapshot', POST],
    ['failed', POST],
    ['relaunch', POST],
    ['done', {}],
    ['nothing', {}],
  ])('for %s %o', async (path, init) => {
    const { url, handler } = await openCoordinator()
    await fetch(`${url}/done`, POST)
    const response = await fetch(`${url}/${path}`, init)
    expect([response.status, await response.text()]).toEqual([452, expect.stringMatching(/ended with done/)])
    expect(handler.calls).toEqual(['verdict done'])
  })
})

describe('an error of the handler', () => {
  it.each<[number, StagerdError, string]>([
    [452, new Conflict('launch-over', 'The launch has ended by its timeout.'), 'The launch has ended by its timeout.'],
    [499, new BadInput('bad-archive', 'The entry "../x" climbs out.'), 'The entry "../x" climbs out.'],
    [499, new TooLarge('blob-too-large', 'At most 2 GiB.'), 'At most 2 GiB.'],
    [499, new Refused('over-quota', 'The quota\n  is used up:\n/ns'), 'The quota; is used up:; /ns'],
    [499, new Conflict('odd', 'esc \u001b[31m'), 'esc ?[31m'],
  ])('is answered with %i and its message when the stager caused it: %s', async (status, error, text) => {
    const { url, handler, logged } = await openCoordinator()
    handler.before = () => Promise.reject(error)
    const response = await fetch(`${url}/snapshot`, POST)
    expect([response.status, await response.text()]).toEqual([status, text])
    expect(logged).toEqual([])
  })

  it.each([
    [
      'a fault',
      new Fault('mount-failed', 'cannot mount /var/lib/stagerd/launches/x'),
      /\(mount-failed\).*not to blame/,
    ],
    ['a host in trouble', new Unavailable('disk-full', 'no space on /var/lib/stagerd'), /\(disk-full\): try again/],
    ['a bug', new TypeError('x is undefined in /srv/stagerd/y.js'), /stagerd failed: its log says why/],
  ])('is hidden from the stager and logged once when the daemon caused it: %s', async (_, error, text) => {
    const { url, handler, logged } = await openCoordinator()
    handler.before = () => Promise.reject(error)
    for (const [path, init] of [
      ['data', {}],
      ['snapshot', POST],
      ['done', POST],
      [`data?sha256=${SHA256}`, upload],
    ] as const) {
      const response = await fetch(`${url}/${path}`, init)
      const body = await response.text()
      expect(response.status).toBe(499)
      expect(body).toMatch(text)
      expect(body).not.toMatch(/\/var|\/srv|TypeError/)
    }
    expect(logged).toHaveLength(4)
    expect(logged).toContainEqual(
      expect.objectContaining({ err: error, launch: handler.launch, operation: 'snapshot' }),
    )
  })

  it('does not end the launch when it concerns a verdict', async () => {
    const { url, handler } = await openCoordinator()
    handler.before = () => Promise.reject(new Unavailable('disk-full', 'full'))
    expect((await fetch(`${url}/done`, POST)).status).toBe(499)
    handler.before = () => undefined
    expect((await fetch(`${url}/failed`, POST)).status).toBe(200)
  })
})
