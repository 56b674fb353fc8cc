import { NPM, type HintContext, type HintRule } from './hint-rule.js'
import type { Trace } from './trace.js'

/** In a hint. */
const MAX_RUNTIMES = 12

interface Language {
  readonly label: string
  /** What the runtimes of the language are called before their version. */
  readonly runtimes: readonly string[]
  /** Where an application asks for a version. */
  readonly where: string
  readonly traces: readonly Trace[]
}

/** A version or a range of versions. */
const WANT = String.raw`(?<want>[\w.~^<>=|!,* -]{1,60}?)`

const LANGUAGES: readonly Language[] = [
  {
    label: 'Ruby',
    runtimes: ['ruby'],
    where: 'the Gemfile and .ruby-version',
    traces: [
      [new RegExp(`Your Ruby version is [\\w.]{1,20}, but your Gemfile specified ${WANT}$`)],
      [/rbenv: version [`'](?<want>[\d.]{1,20})' is not installed/],
      [new RegExp(`requires Ruby version ${WANT}\\. The current ruby version is `, 'i')],
    ],
  },
  {
    label: 'Node.js',
    runtimes: ['node'],
    where: '"engines" of package.json and .nvmrc',
    traces: [
      [new RegExp(`${NPM} code EBADENGINE`), new RegExp(`${NPM} .{0,30}Required: ?\\{.{0,60}"node":"${WANT}"`)],
      [new RegExp(`The engine "node" is incompatible with this module\\. Expected version "${WANT}"`)],
      [/ERR_PNPM_UNSUPPORTED_ENGINE/, new RegExp(`^Expected version: ${WANT}$`)],
      [new RegExp(`^(?:You are using Node\\.js .{1,20}\\. )?For Next\\.js, Node\\.js version "?${WANT}"? is required`)],
      [/\b(?:Vite|Angular CLI|Astro|Nuxt) requires (?:a minimum )?Node\.js version (?:of )?v?(?<want>[\d.]{1,12}\d)/],
    ],
  },
  {
    label: 'Python',
    runtimes: ['python'],
    where: 'pyproject.toml and .python-version',
    traces: [
      [new RegExp(`requires a different Python: [\\d.]{1,12} not in '${WANT}'`)],
      [new RegExp(`activated Python version [\\d.]{1,12} is not supported by the project \\(${WANT}\\)`)],
      [
        /^(?:ERROR: )?Could not find a version that satisfies the requirement /,
        new RegExp(
          `Ignored the following versions that require a different python version: .{1,1000}Requires-Python ${WANT}$`,
        ),
      ],
    ],
  },
  {
    label: 'Go',
    runtimes: ['go'],
    where: 'go.mod',
    traces: [
      [/go\.mod requires go >= (?<want>[\d.]{1,12}) \(running go /],
      [/note: module requires Go (?<want>[\d.]{1,12})$/],
      [/invalid go version '(?<want>[\d.]{1,12})': must match format /],
    ],
  },
  {
    label: 'Java',
    runtimes: ['java', 'jdk', 'openjdk', 'jre'],
    where: 'maven.compiler.release or the toolchain of Gradle',
    traces: [
      [/invalid (?:target|source) release: (?<want>[\d.]{1,6})/],
      [/release version (?<want>\d{1,3}) not supported/],
      [/\(class file version (?<major>\d{2,3})\.\d{1,5}\), this version of the Java Runtime only recognizes/],
      [/(?:Cannot find a Java installation|No matching toolchains? found).{0,120}languageVersion=(?<want>\d{1,3})/],
    ],
  },
  {
    label: 'PHP',
    runtimes: ['php'],
    where: 'composer.json',
    traces: [
      [new RegExp(`requires php ${WANT} (?:->|but) .{0,20}your php version \\(`)],
      [new RegExp(`Your Composer dependencies require a PHP version "${WANT}"\\. You are running`)],
    ],
  },
  {
    label: 'Perl',
    runtimes: ['perl'],
    where: 'the cpanfile and the sources',
    traces: [[/^Perl v(?<want>[\d.]{1,12}) required--this is only v/]],
  },
]

/** Versions of a runtime that are asked for, and are not the one that is there. */
export const RUNTIME_RULES: readonly HintRule[] = [
  ...LANGUAGES.map((language): HintRule => ({
    name: `version of ${language.label}`,
    traces: language.traces,
    hint: (context, { want, major }) => otherVersion(context, language, (want ?? javaOf(major)).trim()),
  })),
  {
    name: 'OpenSSL 3 and an old webpack',
    traces: [
      [/error:0308010C:digital envelope routines::(?:unsupported|initialization error)/],
      [/\bERR_OSSL_EVP_UNSUPPORTED\b/],
    ],
    hint: () =>
      `Its build tool is for Node.js 16 or earlier: update it (webpack 5 or later), or let the script run 'NODE_OPTIONS=--openssl-legacy-provider' before it, and stage again.`,
  },
  {
    name: 'PHP extension',
    traces: [
      [/requires (?:PHP extension )?ext-(?<extension>[\w-]{1,40}) .{1,40} (?:->|but) it is missing from your system/],
    ],
    hint: (_context, { extension = '' }) =>
      `PHP has no extension '${extension}' here: use a runtime that has it, or remove ext-${extension} from the requirements, and stage again.`,
  },
]

function otherVersion({ runtimes }: HintContext, { label, runtimes: names, where }: Language, want: string): string {
  const there = runtimes.filter((name) => names.some((each) => name.startsWith(`${each}-`) && /\d$/.test(name)))
  const known = there
    .slice(0, MAX_RUNTIMES)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((name) => `runtime.${name}`)
    .join(', ')
  const choice =
    known === ''
      ? 'import a package that provides it'
      : `this node has ${known}; ask for one of them in ${where} or with 'stagectl stage --depends-on', or import a package that provides another`
  return `It needs ${label} ${want}, which is not the version here: ${choice}.`
}

/** The version of Java whose classes have this number. */
function javaOf(major = ''): string {
  return String(Number(major) - 44)
}
