import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { MOUNT_POINTS } from '../injected-files.js'
import { pathFromRoot } from '../path-rules.js'

/** Which paths a snapshot covers. Paths are from the root, without a leading slash, bytes as latin1. */
export class SnapshotScope {
  private constructor(
    /** The snapshot covers what is at or below it; the empty string is the root. */
    readonly directory: string,
    private readonly excluded: readonly string[],
  ) {}

  /**
   * @param directory as in `SnapshotRequest`, like `exclude`
   * Throws `BadInput` (`bad-directory`) for a path that breaks the rule of `pathFromRoot`, or is in a mount.
   */
  static of(directory: string | undefined, exclude: readonly string[] = []): SnapshotScope {
    const scope = new SnapshotScope(directory === undefined ? '' : plain(directory), exclude.map(plain))
    const mount = MOUNT_POINTS.find((path) => isWithin(scope.directory, path))
    if (mount !== undefined)
      throw new BadInput(
        'bad-directory',
        `${quote(directory ?? '')} is not in the root of the stager, but in what is mounted at /${mount}: copy what is needed elsewhere.`,
      )
    return scope
  }

  /** @param paths excluded as well */
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
  return pathFromRoot(Buffer.from(directory).toString('latin1'), (why) => {
    throw new BadInput(
      'bad-directory',
      `${quote(directory)} is not a path for a snapshot: ${why}; give a path from the root, such as /opt/app.`,
    )
  })
}
