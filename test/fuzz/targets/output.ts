import { formatLine, parseLine, readPieces } from '../../../daemon/log/log-file.js'
import { Mask } from '../../../daemon/secrets/mask.js'
import { LineSplitter, MAX_LINE_LENGTH } from '../../../daemon/staging/lines.js'
import { EndMarks } from '../../../isolation/engine/end-marks.js'
import { OutputFrames } from '../../../isolation/engine/output-frames.js'
import { assertHolds, assertSame, type FuzzTarget } from '../fuzz-target.js'
import { openFile, pieces } from './support.js'

const LENGTHS = [1, 3, 7, 512]

const outputFrames: FuzzTarget = {
  name: 'output-frames',
  law: 'The output of a container is the same in whatever pieces its frames come, and none of it is lost or doubled.',
  refusals: [],
  maxBytes: 64 * 1024,
  tokens: ['\x01\0\0\0\0\0\0\x03', '\x02\0\0\0\0\0\0\x01', '\0\0\0\0', '\xff\xff\xff\xff'],
  seeds: [Buffer.from('\x01\0\0\0\0\0\0\x03one\x02\0\0\0\0\0\0\x01x\x01\0\0\0\0\0\0\0', 'latin1')],
  run: (bytes) => {
    const read = (lengths: readonly number[]) => {
      const frames = new OutputFrames()
      const found = { stdout: '', stderr: '' }
      for (const piece of pieces(bytes, lengths))
        for (const { stream, data } of frames.push(piece)) found[stream] += data.toString('latin1')
      return found
    }
    const whole = read([65_536])
    assertSame(read(LENGTHS), whole, 'in pieces')
    const expected = { stdout: '', stderr: '' }
    for (let at = 0; at + 8 <= bytes.length;) {
      const length = bytes.readUInt32BE(at + 4)
      expected[bytes[at] === 2 ? 'stderr' : 'stdout'] += bytes.toString('latin1', at + 8, at + 8 + length)
      at += 8 + length
    }
    assertSame(whole, expected, 'the frames')
    return `${whole.stdout === '' ? 'no' : 'some'} output, ${whole.stderr === '' ? 'no' : 'some'} errors`
  },
}

/** MARK stands for the mark of the launch, which nobody knows. */
const endMarks: FuzzTarget = {
  name: 'end-marks',
  law: 'What precedes the mark is passed on, whatever it looks like and in whatever pieces, and nothing after it.',
  refusals: [],
  maxBytes: 64 * 1024,
  tokens: ['MARK000', 'MARK', '\x1e', '\x1eMARK', '000', '999'],
  seeds: ['output\x1eMARK000rest', '\x1e\x1e\x1eMARK', '\x1eMARK137'],
  run: async (bytes) => {
    const filtered = async (lengths: readonly number[]) => {
      const marks = new EndMarks()
      const text = Buffer.from(bytes.toString('latin1').replaceAll('MARK', marks.mark), 'latin1')
      let found = ''
      const output = (_: unknown, chunk: Buffer) => {
        found += chunk.toString('latin1')
        return Promise.resolve()
      }
      for (const piece of pieces(text, lengths)) await marks.filter('stdout', piece, output)
      await marks.flush(output)
      const all = text.toString('latin1')
      const end = new RegExp(`\x1e${marks.mark}...`, 's').exec(all)
      assertHolds(found === (end ? all.slice(0, end.index) : all), 'it is not what precedes the mark')
      return end ? 'a mark' : 'no mark'
    }
    await filtered(LENGTHS)
    return await filtered([65_536])
  },
}

/** A progress bar at full speed is 10 MB a second, and each byte is read by the daemon. */
const terminalLines: FuzzTarget = {
  name: 'terminal-lines',
  law: 'The lines of an output are the same in whatever pieces it comes, and none is longer than the limit.',
  refusals: [],
  maxBytes: 256 * 1024,
  microsPerByte: 1,
  tokens: [
    '\r',
    '\n',
    '\b',
    '\x1b[',
    '\x1b[K',
    '\x1b[1K',
    '\x1b[2K',
    '\x1b[4000G',
    '\x1b[9D',
    '\x1b[C',
    '\x1b[31m',
    '\xc3\xa9',
    '9',
  ],
  seeds: ['one\ntwo\r\nthree', '10%\r20%\r\x1b[K100%\n', 'a\x1b[31mb\x1b[0m\bc\x1b[2Kd\x1b[10Ge\n'],
  run: (bytes) => {
    const read = (lengths: readonly number[]) => {
      const splitter = new LineSplitter()
      return [...pieces(bytes, lengths)].flatMap((piece) => splitter.push(piece)).concat(splitter.end())
    }
    const whole = read([65_536])
    for (const line of whole) assertHolds(line.length <= MAX_LINE_LENGTH, `a line has ${line.length} characters`)
    // Longer ones are cut where the chunks end.
    if (bytes.length <= MAX_LINE_LENGTH) assertSame(read(LENGTHS), whole, 'in pieces')
    return whole.length === 0 ? 'no line' : 'lines'
  },
}

const LOG = [1, 2, 300].map((seq) =>
  formatLine({ seq, time: '2026-01-01T00:00:00.000Z', stream: 'stdout', text: `a"b\\\u0000é${seq}` }),
)

const logFile: FuzzTarget = {
  name: 'log-file',
  law: 'A damaged log shows the same lines however it is read, each of them a line that was written.',
  refusals: [],
  maxBytes: 64 * 1024,
  tokens: ['\0', '\n', '{"seq":', '"stream":"stdout"', '"text":"', '"}\n', '\\u00', '\\', '"', ...LOG],
  seeds: [LOG.join(''), `${LOG[0]}\0\0\0\0${LOG[1]}half a li`],
  run: async (bytes) => {
    const read = async (size: number) => {
      const found: object[] = []
      for await (const { lines } of readPieces(openFile(bytes), 0, size))
        for (const line of lines) found.push(parseLine(line))
      return found
    }
    const whole = await read(65_536)
    assertSame(await read(50), whole, 'in pieces')
    return `${Math.min(3, whole.length)} lines`
  },
}

const SECRET = 'correct horse'

const mask: FuzzTarget = {
  name: 'mask',
  law: 'A secret is hidden in whatever pieces the output comes, and nothing else is.',
  refusals: [],
  maxBytes: 64 * 1024,
  tokens: [SECRET, 'correct', ' horse', 'correct%20horse', Buffer.from(SECRET).toString('base64'), 'cc'],
  seeds: [`a${SECRET}b`, 'correct correct horse', Buffer.from(`x${SECRET}`).toString('base64')],
  run: (bytes) => {
    const masked = (lengths: readonly number[]) => {
      const stream = Mask.of([Buffer.from(SECRET), Buffer.from('cc')])!.stream()
      return Buffer.concat([...[...pieces(bytes, lengths)].map((piece) => stream.push(piece)), stream.end()])
    }
    const whole = masked([65_536])
    assertHolds(!whole.includes(SECRET), 'it shows the secret')
    assertHolds(masked(LENGTHS).equals(whole), 'it differs in pieces')
    if (!whole.includes('***')) assertHolds(whole.equals(bytes), 'it changes what is no secret')
    return whole.equals(bytes) ? 'nothing hidden' : 'hidden'
  },
}

export const OUTPUT: readonly FuzzTarget[] = [outputFrames, endMarks, terminalLines, logFile, mask]
