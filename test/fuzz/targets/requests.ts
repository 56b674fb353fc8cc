import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import {
  readBackup,
  readHead,
  readLeftOut,
  HEAD_NAME,
  LEFT_OUT_NAME,
  printSums,
  SUMS_NAME,
} from '../../../base/backup-archive.js'
import { rangeStart, readFrom } from '../../../daemon/api/byte-range.js'
import { changeOf } from '../../../daemon/coordinator/metadata-form.js'
import { parseAddress } from '../../../daemon/coordinator/stager-address.js'
import { readForm } from '../../../daemon/coordinator/stager-form.js'
import type { StagerRequest } from '../../../daemon/coordinator/stager-request.js'
import { assembleSource } from '../../../daemon/store/assemble-source.js'
import { sealHeader } from '../../../isolation/archive/tar-header.js'
import { tarOf } from '../../support/tar-builder.js'
import { assertHolds, assertSame, type FuzzTarget } from '../fuzz-target.js'
import { streamOf } from './support.js'

const composed = (text: string) => {
  const bytes = Buffer.from(text)
  return Buffer.concat([
    Buffer.from(`data ${createHash('sha256').update(bytes).digest('hex')} ${bytes.length}\n`),
    bytes,
  ])
}

const composition: FuzzTarget = {
  name: 'composition',
  law: 'The parts of a source are the same in whatever pieces they come, and each has its digest.',
  refusals: ['bad-composition', 'digest-mismatch', 'segment-too-large', 'segment-unknown'],
  maxBytes: 16 * 1024,
  tokens: ['data ', 'have ', '\n', '0'.repeat(64), ' 3\n', '999999999'],
  seeds: [Buffer.concat([composed('one'), composed(''), composed('three\n')]), `have ${'0'.repeat(64)}\n`],
  run: async (bytes) => {
    const read = async (lengths: readonly number[]) => {
      const segments: [string, number][] = []
      const whole = await buffer(
        assembleSource(streamOf(bytes, lengths) as AsyncIterable<Buffer>, undefined, (digest, length) => {
          segments.push([digest, length])
          return Promise.resolve()
        }),
      )
      return { whole: whole.toString('latin1'), segments }
    }
    const result = await read([65_536])
    assertSame(await read([1, 70, 3]), result, 'in pieces')
    return `${Math.min(3, result.segments.length)} segments`
  },
}

/** The first line is the value of Range, the second that of If-Range, the rest the data. */
const byteRange: FuzzTarget = {
  name: 'byte-range',
  law: 'A client that resumes gets the rest of the data, or all of it.',
  refusals: [],
  maxBytes: 4096,
  tokens: ['bytes=', '-', ',', '"etag"', 'W/"etag"', '9007199254740993', '\n'],
  seeds: ['bytes=3-\n"etag"\nabcdef', 'bytes=0-\n\nabc', 'bytes=1-2\n\nabc'],
  run: async (bytes) => {
    const [range = '', condition = '', ...rest] = bytes.toString('latin1').split('\n')
    const data = Buffer.from(rest.join('\n'), 'latin1')
    const from = rangeStart(range, condition === '' ? undefined : condition, '"etag"')
    if (from === undefined) return 'the whole'
    assertHolds(Number.isSafeInteger(from) && from >= 0, `it starts at ${from}`)
    const found = await buffer(readFrom(streamOf(data, [5]), from))
    assertHolds(found.equals(data.subarray(Math.min(from, data.length))), 'it is not the rest')
    return 'the rest'
  },
}

const HEAD = JSON.stringify({ format: 1, version: '1', schema: 3, node: 'n', taken_at: '2026-01-01T00:00:00Z' })

function backupOf(...entries: readonly (readonly [name: string, data: string])[]): Buffer {
  const sums = new Map(entries.map(([name, data]) => [name, createHash('sha256').update(data).digest('hex')]))
  return tarOf(...[...entries, [SUMS_NAME, printSums(sums)] as const].map(([name, data]) => ({ name, data })))
}

/** Two lines and then the archive would be hard to change: the texts are, and the archive is made of them. */
const backup: FuzzTarget = {
  name: 'backup',
  law: 'A backup is read to its end, or refused.',
  refusals: ['bad-backup', 'backup-too-new', 'backup-damaged', 'backup-incomplete'],
  maxBytes: 16 * 1024,
  tokens: ['archive\n', 'null', '{}', '[]', '{"format":1,"schema":1}', '"sha256":', '\n', SUMS_NAME, 'ustar\x0000'],
  seeds: [
    `${HEAD}\n[{"sha256":"${'0'.repeat(64)}","why":"gone"}]`,
    Buffer.concat([Buffer.from('archive\n'), backupOf([HEAD_NAME, HEAD], ['blobs/a', 'data'])]),
  ],
  repair: (bytes) => {
    const archive = Buffer.from(bytes)
    for (let at = 8; at + 512 <= archive.length; at += 512)
      if (archive.toString('latin1', at + 257, at + 262) === 'ustar') sealHeader(archive.subarray(at, at + 512))
    return archive
  },
  run: async (bytes) => {
    const text = bytes.toString('utf8')
    const [head = '', ...leftOut] = text.split('\n')
    const archive = text.startsWith('archive\n')
      ? bytes.subarray(8)
      : backupOf([HEAD_NAME, head], [LEFT_OUT_NAME, leftOut.join('\n')])
    let entries = 0
    for await (const entry of readBackup(Readable.from([archive]))) {
      entries += 1
      if (entry.name === HEAD_NAME) await readHead(entry, 3)
      else if (entry.name === LEFT_OUT_NAME)
        for (const { sha256, why } of await readLeftOut(entry))
          assertHolds(typeof sha256 === 'string' && typeof why === 'string', 'it names no lost data')
    }
    return `${Math.min(3, entries)} entries`
  },
}

/** The first line is the Content-Type, the rest the body. */
const stagerForm: FuzzTarget = {
  name: 'stager-form',
  law: 'A form that is understood, and sent again, is understood as the same.',
  refusals: ['bad-form', 'bad-change', 'stager-api-448'],
  maxBytes: 64 * 1024,
  tokens: [
    ...[
      '&',
      '=',
      '%',
      '%00',
      '%ff',
      '%C3%A9',
      '+',
      'resource=',
      'environment',
      'action=add',
      'key=',
      'value=',
      'type=',
    ],
    ...[
      'multipart/form-data; boundary=b',
      '--b\r\n',
      '--b--\r\n',
      'Content-Disposition: form-data; name="',
      '"\r\n\r\n',
    ],
    ...['filename="x"', '; charset=utf-16', 'Content-Transfer-Encoding: base64', '__proto__', "filename*=UTF-8''"],
  ],
  seeds: [
    'application/x-www-form-urlencoded\nresource=environment&action=add&key=A&value=%C3%A9+x',
    '\nresource=provides&action=remove&type=os&name=linux',
    'multipart/form-data; boundary=b\n--b\r\nContent-Disposition: form-data; name="resource"\r\n\r\ntemplates\r\n' +
      '--b\r\nContent-Disposition: form-data; name="action"\r\n\r\nadd\r\n--b\r\nContent-Disposition: form-data; name="path"\r\n\r\n/a\r\n--b--\r\n',
  ],
  run: async (bytes) => {
    const at = bytes.indexOf(0x0a)
    const contentType = bytes.toString('latin1', 0, Math.max(0, at))
    const form = await readForm(requestOf(contentType, bytes.subarray(at + 1)))
    const again = new URLSearchParams([...form]).toString()
    const urlencoded = 'application/x-www-form-urlencoded'
    assertSame([...(await readForm(requestOf(urlencoded, Buffer.from(again))))], [...form], 'the form')
    const { resource } = changeOf(form)
    return resource
  },
}

function requestOf(contentType: string, body: Buffer): StagerRequest {
  const request = {
    raw: { headers: contentType === '' ? {} : { 'content-type': contentType } },
    limits: { formFields: 10 },
    readBody: () => Promise.resolve(body),
  }
  return request as unknown as StagerRequest
}

const stagerAddress: FuzzTarget = {
  name: 'stager-address',
  law: 'Slashes and the origin of an address do not matter.',
  refusals: [],
  maxBytes: 16 * 1024,
  tokens: ['http://', '/', '//', '?', '&', '=', '%', '%2F', 'directory', '..', '#'],
  seeds: ['/6b1f7a4e-0000-4000-8000-000000000001/data?x=y', 'http://host:1//u/snapshot/?directory=%2Fa'],
  run: (bytes) => {
    const target = bytes.toString('latin1')
    const found = parseAddress(target)
    const [path = ''] = target.replace(/^https?:\/\/[^/?]*/i, '').split('?')
    assertSame(
      [found.launch, found.operation].filter((part) => part).join('/'),
      path
        .split('/')
        .filter((part) => part !== '')
        .join('/'),
      'the path',
    )
    return `${found.launch === undefined ? 'no' : 'a'} launch, ${[...found.query].length === 0 ? 'no' : 'a'} query`
  },
}

export const REQUESTS: readonly FuzzTarget[] = [composition, byteRange, backup, stagerForm, stagerAddress]
