import { chooseHint } from '../../../daemon/staging/hints/choose-hint.js'
import { elfHeader, loaderRange } from '../../../isolation/engine/elf.js'
import { type MountEntry, parseMountinfo } from '../../../isolation/engine/mountinfo.js'
import { loadFailure } from '../../../isolation/engine/root-images.js'
import { firstProgram } from '../../../isolation/engine/start-command.js'
import { marksIn } from '../../../isolation/snapshot/overlay-marks.js'
import { SAMPLES } from '../../daemon/staging/hints/samples.js'
import { assertHolds, assertSame, type FuzzTarget } from '../fuzz-target.js'
import { pieces } from './support.js'

const escaped = (text: string) =>
  text.replace(/[ \t\n\\,]/g, (found) => `\\${found.charCodeAt(0).toString(8).padStart(3, '0')}`)

function printMount({ root, mountPoint, type, source, superOptions }: MountEntry): string {
  const options = superOptions.map(escaped).join(',')
  return `1 2 3:4 ${escaped(root)} ${escaped(mountPoint)} rw shared:1 - ${type} ${escaped(source)} ${options}`
}

/** The names of mounts may be those of a stager. */
const mountinfo: FuzzTarget = {
  name: 'mountinfo',
  law: 'Mounts that are written as the kernel does are read as they were.',
  refusals: [],
  maxBytes: 64 * 1024,
  tokens: [
    ' - ',
    ' ',
    '\\040',
    '\\134',
    '\\134134040',
    '\\012',
    '\\054',
    '\n',
    'overlay',
    'lowerdir=',
    ',',
    'shared:1',
    '/',
  ],
  seeds: ['36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - overlay overlay rw,lowerdir=/a:/b,upperdir=/c\\054d\n'],
  run: (bytes) => {
    const mounts = parseMountinfo(bytes.toString('latin1'))
    assertSame(parseMountinfo(mounts.map(printMount).join('\n')), mounts, 'the mounts')
    return `${Math.min(2, mounts.length)} mounts`
  },
}

const overlayMarks: FuzzTarget = {
  name: 'overlay-marks',
  law: 'The attributes of directories are the same in whatever pieces they come.',
  refusals: [],
  maxBytes: 64 * 1024,
  tokens: ['# file: ', '\n', '\n\n', 'trusted.overlay.opaque="y"', 'trusted.overlay.redirect=', '\\012', '\\\\', '"'],
  seeds: ['# file: a\\012b\ntrusted.overlay.opaque="y"\n\n# file: c\ntrusted.overlay.redirect="/x"\n\n'],
  run: async (bytes) => {
    const read = async (lengths: readonly number[]) => {
      const found: object[] = []
      async function* dump() {
        for (const piece of pieces(bytes, lengths)) yield await Promise.resolve(piece.toString('latin1'))
      }
      for await (const { path, marks } of marksIn(dump())) found.push({ path, marks: [...marks] })
      return found
    }
    const whole = await read([65_536])
    assertSame(await read([57, 1, 512]), whole, 'in pieces')
    return `${Math.min(2, whole.length)} directories`
  },
}

function elfOf(is64Bit: boolean): Buffer {
  const file = Buffer.alloc(256)
  file.write('\x7fELF', 'latin1')
  file[4] = is64Bit ? 2 : 1
  file[5] = 1
  file.writeUInt16LE(62, 18)
  if (is64Bit) file.writeBigUInt64LE(64n, 32)
  else file.writeUInt32LE(64, 28)
  file.writeUInt16LE(is64Bit ? 56 : 32, is64Bit ? 54 : 42)
  file.writeUInt16LE(2, is64Bit ? 56 : 44)
  file.writeUInt32LE(3, 64)
  file.write('/lib/ld.so\0', 200, 'latin1')
  return file
}

/** A program of a stager's root. */
const elf: FuzzTarget = {
  name: 'elf',
  law: 'What a header says about a file is numbers that are not negative.',
  refusals: [],
  maxBytes: 4096,
  tokens: ['\x7fELF', '\x02\x01', '\x03\0\0\0', '\xff\xff', '\xff\xff\xff\xff\xff\xff\xff\xff', '\0\0'],
  seeds: [elfOf(true), elfOf(false)],
  run: (bytes) => {
    const header = elfHeader(bytes)
    if (!header) return 'no program'
    const { offset, size, count } = header.programHeaders
    const range = loaderRange(header, bytes.subarray(offset, offset + Math.min(size * count, 65_536)))
    for (const number of [offset, size, count, range?.offset ?? 0, range?.length ?? 0])
      assertHolds(number >= 0 && !Number.isNaN(number), `${number} is no length`)
    return range ? 'dynamic' : 'static'
  },
}

const startCommand: FuzzTarget = {
  name: 'start-command',
  law: 'A command is read to its first program, which has a name, or is left to the shell.',
  refusals: [],
  maxBytes: 64 * 1024,
  tokens: [
    '&&',
    '||',
    ';',
    '|',
    '"',
    "'",
    '\\',
    '$A',
    '${A}',
    '$(',
    '`',
    '>',
    '2>&1',
    'cd ',
    'export ',
    'exec ',
    '\n',
    '#',
    'A=b ',
    '~',
    '*',
  ],
  seeds: ['cd app && A=b exec ./server --port "$PORT" \'x y\'', 'export A=1; set -e\n# c\npython3 app.py >log 2>&1'],
  run: (bytes) => {
    const start = { workingDirectory: '/app', environment: { A: '/x', PORT: '80' } }
    const found = firstProgram(bytes.toString('utf8'), start)
    if (!found) return 'left to the shell'
    assertHolds(found.directory.startsWith('/'), 'its directory is not absolute')
    return 'a program'
  },
}

const CONTEXT = {
  program: { kind: 'run', command: 'stagectl run' } as const,
  ...{ egress: false, caBundle: false, proxy: false, exitCode: 1, memoryBytes: 2 ** 28 },
  ...{ runtimes: ['ruby', 'node'], published: [8080], port: '8080' },
}

const hints: FuzzTarget = {
  name: 'hints',
  law: 'Any output gives one sentence without control characters, or none.',
  refusals: [],
  maxBytes: 128 * 1024,
  tokens: [
    '\n',
    'npm error ',
    'npm ERR! ',
    ': ',
    'https://',
    'a.b.',
    '-',
    "'",
    '"',
    '\x1b[31m',
    'Error: ',
    'x'.repeat(60),
  ],
  seeds: SAMPLES.map(({ output }) => output),
  run: (bytes) => {
    const hint = chooseHint(bytes.toString('utf8').split('\n'), CONTEXT)
    assertHolds(hint === undefined || !/[\x00-\x1f\x7f-\x9f]/.test(hint), 'it has a control character')
    return hint === undefined
      ? 'none'
      : hint
          .split(' ')
          .slice(0, 3)
          .join(' ')
          .replace(/[^A-Za-z ]\S*/g, '_')
  },
}

const loadMessages: FuzzTarget = {
  name: 'load-messages',
  law: 'What the Engine says while it loads an image is a failure or none.',
  refusals: [],
  maxBytes: 64 * 1024,
  tokens: ['{"error":"', '{"stream":"', 'Error unpacking image', '"}', '\n', 'null', '"errorDetail":{'],
  seeds: [
    '{"stream":"Loaded image: a"}\n{"errorDetail":{"message":"x"},"error":"x"}\n',
    '{"stream":"Error unpacking image a"}\n',
  ],
  run: (bytes) => (loadFailure(bytes.toString('utf8')) === undefined ? 'loaded' : 'a failure'),
}

export const HOST: readonly FuzzTarget[] = [mountinfo, overlayMarks, elf, startCommand, hints, loadMessages]
