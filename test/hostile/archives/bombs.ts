import { execFileSync } from 'node:child_process'
import { tarOf } from '../../support/tar-builder.js'
import type { RefusedArchive } from './hostile-archive.js'

const COMPRESSORS = ['gzip', 'bzip2', 'xz', 'zstd'] as const

const compressed = (program: string, archive: Buffer) =>
  execFileSync(program, ['-c'], { input: archive, maxBuffer: 2 ** 30 })

/** What programs of this host compress, so that this is a function: to load a file must start nothing. */
export function compressedArchives(): readonly RefusedArchive[] {
  const small = tarOf({ name: 'app/file', data: 'x' })
  // Longer than what a flipped bit in the middle can damage of its header, and of no pattern.
  const noise = Buffer.alloc(4096)
  for (let at = 0, state = 1; at < noise.length; at++) noise[at] = (state = (state * 48_271) % 2_147_483_647) >> 8
  const long = tarOf({ name: 'app/noise', data: noise }, { name: 'app/file', data: 'x' })
  const zeros = tarOf({ name: 'zeros', data: Buffer.alloc(16 * 2 ** 20) })
  return COMPRESSORS.flatMap((program) => {
    const sound = compressed(program, small)
    // Of a damaged block, bzip2 gives all of it as noise, with the header of the tar.
    return [
      { what: `a bomb of ${program}`, archive: compressed(program, zeros), code: 'archive-too-large' },
      {
        what: `garbage behind data of ${program}`,
        archive: Buffer.concat([sound, Buffer.alloc(700, 'garbage')]),
        code: 'archive-corrupt',
        ...(program === 'gzip' ? { unpacks: true as const } : {}),
      },
      { what: `data of ${program} that is cut off`, archive: sound.subarray(0, -9), code: 'archive-corrupt' },
      {
        what: `data of ${program} with a flipped bit`,
        archive: flippedInside(compressed(program, long)),
        code: program === 'bzip2' ? 'not-an-archive' : 'archive-corrupt',
      },
    ]
  })
}

function flippedInside(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const at = Math.floor(copy.length / 2)
  copy[at] = (copy[at] ?? 0) ^ 0x10
  return copy
}
