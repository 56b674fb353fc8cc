import type { ContentRule } from './content-rules.js'

export interface Sign {
  /** As `matchesSign` reads it. */
  readonly pattern: string
  /** What the content of a file must show; without one, its name is enough. */
  readonly content?: ContentRule
}

export interface StandardPipeline {
  /** Local name of the pipeline, in any namespace. */
  readonly name: string
  readonly signs: readonly Sign[]
  /** Of one that no source has a sign of: how it is used. Follows "no directory has its sign:". */
  readonly use?: string
}

/**
 * The signs of the pipelines that come with stagerd, by the order in which they are taken. Sources often have signs of
 * several: applications of Rails, Laravel and Django have a `package.json` for their assets, and static sites scripts.
 * So the order is a contract with users, and changes only for a reason that they would share.
 */
export const STANDARD_PIPELINES: readonly StandardPipeline[] = [
  // First, because nobody has such a file by chance.
  { name: 'bash', signs: named('bash_start.sh') },
  {
    name: 'java',
    signs: [
      ...named('*.war', '*.ear', 'WEB-INF/', 'pom.xml', 'build.gradle*', 'settings.gradle*'),
      { pattern: '*.jar', content: 'main-class' },
      { pattern: '*.java', content: 'java-main' },
    ],
  },
  { name: 'ruby', signs: named('Gemfile') },
  { name: 'python', signs: named('requirements.txt', 'pyproject.toml', 'setup.py', 'Pipfile', 'manage.py') },
  { name: 'php', signs: named('composer.json', 'index.php', '*.php') },
  // A Makefile beside *.go is a sign too, and *.go alone as well.
  { name: 'go', signs: named('go.mod', 'Godeps/', '.godir', '*.go') },
  { name: 'perl', signs: named('cpanfile', 'Makefile.PL', 'Build.PL', '*.psgi') },
  {
    name: 'nodejs',
    signs: [
      ...named('package.json'),
      ...['server.js', 'app.js', 'main.js', 'index.js'].map((pattern) => ({
        pattern,
        content: 'no-page-script' as const,
      })),
    ],
  },
  { name: 'static-site', signs: named('index.html', 'index.htm') },
  { name: 'docker', signs: [], use: 'it stages images, by `stagectl stage --image`' },
  { name: 'compiler', signs: [], use: 'it builds packages from build scripts, by `stagectl package build`' },
]

function named(...patterns: readonly string[]): Sign[] {
  return patterns.map((pattern) => ({ pattern }))
}
