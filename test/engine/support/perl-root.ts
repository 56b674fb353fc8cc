import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { tarball } from './busybox-root.js'

const STAGERS = ['file-operations', 'busy-writer'] as const

/** The directory of the programs in test/fixtures/stagers. */
export const FILE_OPERATIONS = '/usr/bin/file-operations'
export const BUSY_WRITER = '/usr/bin/busy-writer'

/** The perl of the host with its libraries and the modules of perl-base, and the stagers in Perl. */
export async function perlTarball(): Promise<Buffer> {
  const linked = execFileSync('ldd', ['/usr/bin/perl'], { encoding: 'utf8' }).match(/\/\S+/g) ?? []
  const paths = execFileSync('perl', ['-e', 'print "$_\\n" for @INC'], { encoding: 'utf8' }).split('\n')
  const base = paths.find((path) => path.endsWith('/perl-base'))
  if (base === undefined) throw new Error('this host has no perl-base')
  const modules = readdirSync(base, { recursive: true, encoding: 'utf8' })
    .map((name) => `${base}/${name}`)
    .filter((path) => /\.(pm|pl|so|al|ix)$/.test(path))
  const files = ['/usr/bin/perl', ...linked, ...modules]
  return await tarball({
    ...Object.fromEntries(files.map((path) => [path.slice(1), readFileSync(realpathSync(path))])),
    ...Object.fromEntries(STAGERS.map((name) => [`usr/bin/${name}`, readFileSync(stagerProgram(name))])),
  })
}

/** The path of a program of test/fixtures/stagers. */
export function stagerProgram(name: (typeof STAGERS)[number]): string {
  return fileURLToPath(new URL(`../../fixtures/stagers/${name}.pl`, import.meta.url))
}
