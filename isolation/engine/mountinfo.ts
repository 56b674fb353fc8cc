/** One line of /proc/PID/mountinfo: proc_pid_mountinfo(5). */
export interface MountEntry {
  /** Which directory of the filesystem is mounted. */
  readonly root: string
  readonly mountPoint: string
  readonly type: string
  readonly source: string
  /** Of the filesystem, not of this mount of it. */
  readonly superOptions: readonly string[]
}

/** Lines that are none are left out: the kernel may add fields, and newer ones must not stop us. */
export function parseMountinfo(text: string): MountEntry[] {
  const entries: MountEntry[] = []
  for (const line of text.split('\n')) {
    // Between the sixth field and the lonely dash stands any number of optional fields.
    const [before, after] = splitOnce(line, ' - ')
    const [, , , root, mountPoint] = before.split(' ')
    if (root === undefined || mountPoint === undefined || after === undefined) continue
    const [type = '', source = '', superOptions = ''] = after.split(' ')
    entries.push({
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      type,
      source: unescapeOctal(source),
      // A comma of a value is \054 here: those that are left separate.
      superOptions: superOptions.split(',').map(unescapeOctal),
    })
  }
  return entries
}

/** Value of `name=value` among the options. */
export function optionOf(entry: MountEntry, name: string): string | undefined {
  return optionsOf(entry, name)[0]
}

/** Values of all the `name=value` among the options, in their order. */
export function optionsOf(entry: MountEntry, name: string): string[] {
  const values = entry.superOptions.filter((option) => option.startsWith(`${name}=`))
  return values.map((option) => option.slice(name.length + 1))
}

/** The kernel writes space, tab, newline, comma and backslash as \040, \011, \012, \054 and \134. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}
