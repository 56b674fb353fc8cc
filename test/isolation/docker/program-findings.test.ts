import { describe, expect, it } from 'vitest'
import { examinePrograms } from '../../../isolation/docker/program-findings.js'

const without = (...missing: string[]) =>
  examinePrograms((program) => Promise.resolve(!missing.includes(program))).then((findings) =>
    findings.map(({ subject, verdict, message }) => `${verdict} ${subject}: ${message}`),
  )

describe('doctor looks for programs', () => {
  it('and is content when all are installed', async () => {
    expect(await without()).toEqual([
      'good programs: all programs that stagings need are installed',
      'good archives: uploads can be compressed with gzip, bzip2, xz or zstd',
    ])
  })

  it('and names those that are missing, with the packages to install', async () => {
    expect((await without('getfattr', 'setfattr', 'ip', 'unshare'))[0]).toBe(
      'bad programs: stagings fail without getfattr, setfattr, ip, unshare: install attr, iproute2, util-linux',
    )
  })

  it('and says what does not work without those that only some uploads need', async () => {
    expect((await without('xz', 'zstd'))[1]).toBe(
      'slow archives: uploads that are compressed with xz or zstd are refused: install xz-utils, zstd',
    )
  })
})
