/** What the content of a file must show, beside its name, to be a sign. */
export type ContentRule = 'main-class' | 'java-main' | 'no-page-script'

interface Rule {
  /** The entry of the zip that is read; without one, the file itself. */
  readonly member?: string
  /** False where the name alone is a sign, for these entries of the source. */
  readonly applies: (names: ReadonlySet<string>) => boolean
  /** `text` is the beginning of the content, and empty where it cannot be read. */
  readonly holds: (text: string) => boolean
  /** Follows the name of a file whose content is no sign. */
  readonly otherwise: string
}

const ALWAYS = () => true

export const CONTENT_RULES: Readonly<Record<ContentRule, Rule>> = {
  'main-class': {
    member: 'META-INF/MANIFEST.MF',
    applies: ALWAYS,
    holds: namesMainClass,
    otherwise: 'names no Main-Class in its manifest',
  },
  'java-main': { applies: ALWAYS, holds: hasJavaMain, otherwise: 'has no main method' },
  // Without a page that could load it, a script is a program.
  'no-page-script': {
    applies: (names) => names.has('index.html') || names.has('index.htm'),
    holds: (text) => !isPageScript(text),
    otherwise: 'is a script for the page beside it',
  },
}

/** The main section ends at the first empty line. The names of attributes have no case; long lines are continued. */
function namesMainClass(manifest: string): boolean {
  const [main = ''] = manifest.replace(/\r\n?/g, '\n').split(/\n\n/, 1)
  return /^Main-Class:[ \t]*\S/im.test(main.replace(/\n /g, ''))
}

const JAVA_COMMENTS_AND_STRINGS =
  /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"""[\s\S]*?(?:"""|$)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g

/** Newer versions of Java also start `void main()` without further words. */
function hasJavaMain(source: string): boolean {
  return /\bvoid\s+main\s*\(/.test(source.replace(JAVA_COMMENTS_AND_STRINGS, ' '))
}

/** Only what no browser has: other modules than by their path, and the objects of Node.js. */
const OF_A_PROGRAM =
  /\brequire\s*\(|\bprocess\s*\.|\bmodule\.exports\b|\b(?:Deno|Bun)\s*\.|^\s*import\b[^'"\n]*['"](?![./]|https?:)|^#!/m
const OF_A_PAGE =
  /\b(?:document|window|localStorage|angular|jQuery|React|ReactDOM|Vue|customElements)\s*[.(]|\$\s*\(|\baddEventListener\s*\(|\balert\s*\(/

/** In doubt it is none: the contract lets the name of a script decide. */
function isPageScript(script: string): boolean {
  return OF_A_PAGE.test(script) && !OF_A_PROGRAM.test(script)
}
