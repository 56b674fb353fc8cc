/** As in the recipes of images/. Every program of a package runs as this user, so a root must have it. */
const LINES: Readonly<Record<string, string>> = {
  'etc/passwd': 'runner:x:99:99:runner:/app:/bin/sh\n',
  'etc/group': 'runner:x:99:\n',
}

/** For a file that lists users or groups: a function that adds `runner` to its content if it is missing. */
export function withRunner(path: string): ((content: Buffer) => Buffer) | undefined {
  const line = LINES[path]
  if (line === undefined) return undefined
  return (content) => {
    const text = content.toString('latin1')
    if (/^runner:/m.test(text)) return content
    return Buffer.from(`${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${line}`, 'latin1')
  }
}
