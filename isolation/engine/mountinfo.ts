/** One line of /proc/PID/mountinfo: proc_pid_mountinfo(5). */
export interface MountEntry {
  /** The directory of the filesystem that is mounted. */
  readonly root: string
  readonly mountPoint: string
  readonly type: string
  readonly source: string
  /** Options of the filesystem, not of this mount. */
  readonly superOptions: readonly string[]
}

/** Skips lines of another format: a newer kernel may add some. */
export function parseMountinfo(text: string): MountEntry[] {
  const entries: MountEntry[] = []
  for (const line of text.split('\n')) {
    // Any number of optional fields is between the sixth field and the separator.
    const [before, after] = splitOnce(line, ' - ')
    const [, , , root, mountPoint] = before.split(' ')
    if (root === undefined || mountPoint === undefined || after === undefined) continue
    const [type = '', source = '', superOptions = ''] = after.split(' ')
    entries.push({
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      type,
      source: unescapeOctal(source),
      // A comma in a value is escaped as \054, so every other comma is a separator.
      superOptions: superOptions.split(',').map(unescapeOctal),
    })
  }
  return entries
}

/** Value of `name=value` among the options. */
export function optionOf(entry: MountEntry, name: string): string | undefined {
  return optionsOf(entry, name)[0]
}

/** Values of every `name=value` among the options, in order. */
export function optionsOf(entry: MountEntry, name: string): string[] {
  const values = entry.superOptions.filter((option) => option.startsWith(`${name}=`))
  return values.map((option) => option.slice(name.length + 1))
}

/** The kernel escapes space, tab, newline, comma and backslash as \040, \011, \012, \054 and \134. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}
