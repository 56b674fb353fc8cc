import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

/** What a snapshot is about. Paths are from the root, bytes as latin1. */
export class SnapshotScope {
  private constructor(
    /** Only what is at or below it; the empty string is everything. */
    readonly directory: string,
    private readonly excluded: readonly string[],
  ) {}

  /**
   * @param directory as the Stager API names it; everything when left out
   * @param exclude likewise: nothing at or below these
   * Throws `BadInput` (`bad-directory`) for what is not an absolute, plain path.
   */
  static of(directory: string | undefined, exclude: readonly string[] = []): SnapshotScope {
    return new SnapshotScope(directory === undefined ? '' : plain(directory), exclude.map(plain))
  }

  /** @param paths like `exclude` */
  without(paths: readonly string[]): SnapshotScope {
    return new SnapshotScope(this.directory, [...this.excluded, ...paths.map(plain)])
  }

  placeOf(path: string): 'within' | 'ancestor' | 'outside' {
    if (this.excluded.some((one) => isWithin(path, one))) return 'outside'
    if (isWithin(path, this.directory)) return 'within'
    return this.directory.startsWith(`${path}/`) ? 'ancestor' : 'outside'
  }
}

function isWithin(path: string, directory: string): boolean {
  return directory === '' || path === directory || path.startsWith(`${directory}/`)
}

function plain(directory: string): string {
  const segments = directory.replace(/\/+$/, '').split('/').slice(1)
  const isPlain = segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  if (!directory.startsWith('/') || !isPlain || directory.includes('\0'))
    throw new BadInput(
      'bad-directory',
      `${quote(directory)} is not a directory to take a snapshot of: give an absolute path without "." and "..", such as /opt/app.`,
    )
  return Buffer.from(segments.join('/')).toString('latin1')
}
