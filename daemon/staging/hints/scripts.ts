import { FILE, NPM, type HintRule } from './hint-rule.js'

/** Scripts and programs that are not there, or cannot be executed. */
export const SCRIPT_RULES: readonly HintRule[] = [
  {
    name: 'missing npm script',
    traces: [
      [new RegExp(`${NPM} [Mm]issing script: "?(?<script>[\\w:.-]{1,64})"?`)],
      [/^error Command "(?<script>[\w:.-]{1,64})" not found\.$/],
      [/Couldn't find a script named "(?<script>[\w:.-]{1,64})"/],
      [/ERR_PNPM_NO_SCRIPT(?:_OR_SERVER)?\s{1,4}Missing script:? "?(?<script>[\w:.-]{1,64})/],
    ],
    hint: (_context, { script = '' }) =>
      script === 'start'
        ? `package.json has no script "start": add one ('npm pkg set scripts.start="node FILE.js"'), and stage again.`
        : `package.json has no script "${script}": add it, and stage again.`,
  },
  {
    name: 'CR LF',
    traces: [
      [/env: [‘'"]?[\w.-]{1,40}\\r[’'"]?: No such file or directory/],
      // Busybox writes the carriage return itself, so the rest of its message is written over the beginning.
      [/^': No such file or directory$/],
      [/\^M: bad interpreter/],
      [/\$'\\r': command not found/],
      [/syntax error near unexpected token `\$'[^'\\]{0,40}\\r'/],
      // The option is a carriage return, which ends the line.
      [/^[\w./-]{1,100}: \d{1,5}: (?:set: )?Illegal option -$/],
    ],
    hint: () =>
      `A script has the line ends of Windows (CR LF): save it with those of Unix ('sed -i "s/\\r$//" FILE'; for files in Git, '* text=auto eol=lf' in .gitattributes), and stage again.`,
  },
  {
    name: 'lost exec bit',
    traces: [
      [new RegExp(`^(?:/bin/)?(?:da)?sh: \\d{1,5}: (?:exec: )?${FILE}: Permission denied$`)],
      [new RegExp(`^make(?:\\[\\d{1,3}\\])?: ${FILE}: Permission denied$`)],
      [new RegExp(`^(?:/usr/bin/)?env: [‘'"]?${FILE}[’'"]?: Permission denied$`)],
      [new RegExp(`\\bspawn ${FILE} EACCES$`)],
      [new RegExp(`exec: "${FILE}": permission denied`)],
      [new RegExp(`Cannot run program "${FILE}"[^:]{0,200}: (?:error=13|Exec failed, error: 13)`)],
    ],
    hint: (_context, { file = '' }) => notExecutable(file),
  },
  {
    name: 'lost exec bit, in the words of bash',
    traces: [
      [new RegExp(`^(?:/bin/)?bash: (?:line \\d{1,5}: )?${FILE}: Permission denied$`)],
      [new RegExp(`^[\\w./-]{1,100}: line \\d{1,5}: ${FILE}: Permission denied$`)],
    ],
    // Bash says the same of a file that it may not write to.
    hint: ({ exitCode }, { file = '' }) =>
      exitCode === 126 || /(?:^|\/)(?:gradlew|mvnw|configure)$|\/\.bin\/|\.(?:sh|bash|py|rb|pl)$/.test(file)
        ? notExecutable(file)
        : undefined,
  },
  {
    name: 'lost wrapper of Gradle or Maven',
    traces: [
      [/Could not find or load main class (?<file>org\.gradle\.wrapper\.GradleWrapperMain)/],
      [/Could not find or load main class (?<file>org\.apache\.maven\.wrapper\.MavenWrapperMain)/],
    ],
    hint: (_context, { file = '' }) =>
      file.includes('gradle')
        ? 'gradle/wrapper/gradle-wrapper.jar is not in the source: add it (an ignore rule for *.jar may leave it out), and stage again.'
        : '.mvn/wrapper/maven-wrapper.jar is not in the source: add it (an ignore rule for *.jar may leave it out), and stage again.',
  },
]

function notExecutable(file: string): string {
  return `${file} is not executable: set its exec bit with 'chmod +x' before it is packed ('git update-index --chmod=+x' for a file in Git; a zip made on Windows keeps no exec bits), and stage again.`
}
