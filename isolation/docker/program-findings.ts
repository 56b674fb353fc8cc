import { hasProgram } from '../archive/find-program.js'
import type { Finding } from '../isolation.js'
import { bad, good, slow } from './finding.js'

/** Programs of the host that launches run, by the Debian package that has them. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  attr: ['getfattr', 'setfattr'],
  coreutils: ['du', 'env', 'rm', 'sort', 'sync'],
  findutils: ['find'],
  gzip: ['gzip'],
  iproute2: ['ip'],
  mount: ['mount', 'umount'],
  tar: ['tar'],
  'util-linux': ['prlimit', 'setpriv', 'unshare'],
}

/** Programs for compressed uploads, likewise. */
const OPTIONAL: Readonly<Record<string, readonly string[]>> = { bzip2: ['bzip2'], 'xz-utils': ['xz'], zstd: ['zstd'] }

export async function examinePrograms(has: (program: string) => Promise<boolean> = hasProgram): Promise<Finding[]> {
  const [required, optional] = await Promise.all([missingOf(REQUIRED, has), missingOf(OPTIONAL, has)])
  return [
    required.programs.length === 0
      ? good('programs', 'all programs that stagings need are installed')
      : bad(
          'programs',
          `stagings fail without ${required.programs.join(', ')}: install ${required.packages.join(', ')}`,
        ),
    optional.programs.length === 0
      ? good('archives', 'uploads can be compressed with gzip, bzip2, xz or zstd')
      : slow(
          'archives',
          `uploads that are compressed with ${optional.programs.join(' or ')} are refused: install ${optional.packages.join(', ')}`,
        ),
  ]
}

async function missingOf(
  table: Readonly<Record<string, readonly string[]>>,
  has: (program: string) => Promise<boolean>,
): Promise<{ readonly programs: readonly string[]; readonly packages: readonly string[] }> {
  const programs: string[] = []
  const packages = new Set<string>()
  for (const [debianPackage, names] of Object.entries(table))
    for (const name of names) {
      if (await has(name)) continue
      programs.push(name)
      packages.add(debianPackage)
    }
  return { programs, packages: [...packages] }
}
