/** As in the recipes of images/: everything runs as this user, so a root without it can run nothing. */
const LINES: Readonly<Record<string, string>> = {
  'etc/passwd': 'runner:x:99:99:runner:/app:/bin/sh\n',
  'etc/group': 'runner:x:99:\n',
}

/** What makes of that file, if it lists users or groups, one that has `runner`. */
export function withRunner(path: string): ((content: Buffer) => Buffer) | undefined {
  const line = LINES[path]
  if (line === undefined) return undefined
  return (content) => {
    const text = content.toString('latin1')
    if (/^runner:/m.test(text)) return content
    return Buffer.from(`${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${line}`, 'latin1')
  }
}
