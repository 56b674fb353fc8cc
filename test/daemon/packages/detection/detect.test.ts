import { describe, expect, test } from 'vitest'
import { detect, type KnownPipeline } from '../../../../daemon/packages/detection/detect.js'
import { STANDARD_PIPELINES } from '../../../../daemon/packages/detection/standard-signs.js'
import { cpuMsOf } from '../../../support/cpu-time.js'

/** Excerpts by the name of their file, or of their file and their member, `app.jar!META-INF/MANIFEST.MF`. */
type Texts = Readonly<Record<string, string>>

const shared = (name: string, ...signs: string[]): KnownPipeline => ({ namespace: '/apcera', name, signs })
const ALL = ['bash', 'compiler', 'docker', 'go', 'java', 'nodejs', 'perl', 'php', 'python', 'ruby', 'static-site'].map(
  (name) => shared(name),
)
const MANIFEST = '!META-INF/MANIFEST.MF'
const RUNNABLE = 'Manifest-Version: 1.0\r\nMain-Class: com.example.Main\r\n\r\n'
const LIBRARY = 'Manifest-Version: 1.0\r\nBuilt-By: x\r\n\r\nName: a/B.class\r\nMain-Class: no.such.Section\r\n'
const MAIN = 'public class App {\n  public static void main(String[] args) { }\n}'

const look = (names: string, texts: Texts = {}, pipelines: readonly KnownPipeline[] = ALL) =>
  detect({
    names: names.split(' ').filter((name) => name !== ''),
    excerpts: Object.entries(texts).map(([key, text]) => {
      const [name = '', member] = key.split('!')
      return { name, ...(member === undefined ? {} : { member }), text }
    }),
    pipelines,
  })

/** Local names of the pipelines that fit, the one that is taken first. */
const fitting = (...question: Parameters<typeof look>) =>
  look(...question)
    .candidates.filter(({ fits }) => fits)
    .map(({ name }) => name)
    .join(' ')

describe('the pipelines that fit a source, the one that is taken first', () => {
  test.each<[names: string, expected: string, texts?: Texts]>([
    // Nothing that is a sign.
    ['', ''],
    ['README.md LICENSE', ''],
    ['main.c Makefile', ''],
    ['Dockerfile', ''],
    ['Cargo.toml src/', ''],
    ['app.py', ''],
    ['tool.rb', ''],
    ['src/ lib/ docs/', ''],
    ['gemfile Package.json', ''],
    ['package.json/ Gemfile/ index.html/', ''],
    ['package.json.bak requirements.txt~', ''],
    ['Godeps', ''],
    // bash
    ['bash_start.sh', 'bash'],
    ['bash_start.sh bash_setup.sh package.json Gemfile', 'bash ruby nodejs'],
    ['bash_setup.sh', ''],
    ['start.sh', ''],
    // java
    ['shop.war', 'java'],
    ['SHOP.WAR', 'java'],
    ['shop.ear', 'java'],
    ['pom.xml src/', 'java'],
    ['build.gradle gradlew', 'java'],
    ['build.gradle.kts', 'java'],
    ['settings.gradle.kts gradlew app/', 'java'],
    ['WEB-INF/ index.html css/', 'java static-site'],
    ['WEB-INF', ''],
    ['app.jar', 'java', { [`app.jar${MANIFEST}`]: RUNNABLE }],
    ['app.jar', '', { [`app.jar${MANIFEST}`]: LIBRARY }],
    ['app.jar', '', { [`app.jar${MANIFEST}`]: '' }],
    ['app.jar', '', {}],
    ['a.jar b.jar', 'java', { [`a.jar${MANIFEST}`]: LIBRARY, [`b.jar${MANIFEST}`]: RUNNABLE }],
    ['App.java', 'java', { 'App.java': MAIN }],
    ['App.java', '', { 'App.java': 'interface App {}' }],
    ['App.java Util.java', 'java', { 'App.java': 'class App {}', 'Util.java': MAIN }],
    ['App.java lib.jar', 'java', { 'App.java': MAIN, [`lib.jar${MANIFEST}`]: LIBRARY }],
    ['pom.xml package.json', 'java nodejs'],
    ['pom.xml index.html', 'java static-site'],
    // ruby
    ['Gemfile Gemfile.lock config.ru', 'ruby'],
    ['Gemfile package.json app/ config/', 'ruby nodejs'],
    ['Gemfile requirements.txt', 'ruby python'],
    ['Gemfile index.html', 'ruby static-site'],
    // python
    ['requirements.txt', 'python'],
    ['pyproject.toml', 'python'],
    ['setup.py', 'python'],
    ['Pipfile Pipfile.lock', 'python'],
    ['manage.py', 'python'],
    ['manage.py requirements.txt package.json', 'python nodejs'],
    ['requirements.txt index.php', 'python php'],
    // php
    ['composer.json', 'php'],
    ['index.php', 'php'],
    ['info.php', 'php'],
    ['artisan composer.json package.json', 'php nodejs'],
    ['index.php index.html', 'php static-site'],
    // go
    ['go.mod go.sum', 'go'],
    ['Godeps/ web.go', 'go'],
    ['Godeps/', 'go'],
    ['.godir', 'go'],
    ['main.go', 'go'],
    ['Makefile main.go index.html', 'go static-site'],
    ['go.mod cpanfile', 'go perl'],
    // perl
    ['cpanfile', 'perl'],
    ['Makefile.PL', 'perl'],
    ['Build.PL', 'perl'],
    ['app.psgi', 'perl'],
    ['app.psgi package.json', 'perl nodejs'],
    // nodejs
    ['package.json', 'nodejs'],
    ['server.js', 'nodejs'],
    ['app.js', 'nodejs'],
    ['main.js', 'nodejs'],
    ['index.js', 'nodejs'],
    ['worker.js', ''],
    ['package.json index.html', 'nodejs static-site'],
    ['server.js index.html', 'nodejs static-site', { 'server.js': "require('http').createServer()" }],
    ['app.js index.html', 'nodejs static-site', { 'app.js': '' }],
    ['app.js index.html', 'static-site', { 'app.js': "document.querySelector('h1')" }],
    ['app.js main.js index.htm', 'static-site', { 'app.js': '$(function () {})', 'main.js': 'window.x = 1' }],
    [
      'app.js server.js index.html',
      'nodejs static-site',
      { 'app.js': 'window.x = 1', 'server.js': 'process.env.PORT' },
    ],
    ['app.js', 'nodejs', { 'app.js': 'document.title' }],
    ['package.json app.js index.html', 'nodejs static-site', { 'app.js': 'document.title' }],
    // static-site
    ['index.html', 'static-site'],
    ['index.htm', 'static-site'],
    ['index.html nginx.conf Makefile css/', 'static-site'],
  ])('%s: %s', (names, expected, texts) => {
    expect(fitting(names, texts)).toBe(expected)
    const taken = look(names, texts).candidates.filter(({ verdict }) => verdict === 'taken')
    expect(taken.map(({ name }) => name)).toEqual(expected === '' ? [] : [expected.split(' ')[0]])
  })

  test('the order of the standard pipelines, by all their signs at once', () => {
    const names = STANDARD_PIPELINES.flatMap(({ signs }) => signs[0]?.pattern.replaceAll('*', 'x') ?? []).join(' ')
    expect(fitting(names)).toBe('bash java ruby python php go perl nodejs static-site')
  })
})

describe('what a Java program is', () => {
  const jar = (manifest: string) => fitting('app.jar', { [`app.jar${MANIFEST}`]: manifest })
  test.each([
    ['Main-Class: Main', 'java'],
    ['main-class: Main\n', 'java'],
    ['Manifest-Version: 1.0\rMain-Class: Main\r', 'java'],
    ['Main-Cl\n ass: Main\n', 'java'],
    ['X: a\n Main-Class: continued\n', ''],
    ['Main-Class: \n', ''],
  ])('a jar with the manifest %j: %s', (manifest, expected) => expect(jar(manifest)).toBe(expected))

  const source = (text: string) => fitting('App.java', { 'App.java': text })
  test.each([
    ['class A { static public void main(final String... a) {} }', 'java'],
    ['void main() {}', 'java'],
    ['class A { /* void main() */ }', ''],
    ['class A { // static void main(String[] a)\n}', ''],
    ['class A { String s = "void main(\\" "; }', ''],
    ['class A { String s = """\nvoid main()\n"""; }', ''],
    ['class A { void mainly() {} }', ''],
  ])('a source %j: %s', (text, expected) => expect(source(text)).toBe(expected))
})

describe('excerpts', () => {
  test('are wanted where they can change the answer, and not again', () => {
    const first = look('App.java a.jar pom.txt')
    expect(first.wanted).toEqual([{ name: 'a.jar', member: 'META-INF/MANIFEST.MF' }, { name: 'App.java' }])
    expect(look('App.java a.jar', { 'App.java': '', [`a.jar${MANIFEST}`]: '' }).wanted).toEqual([])
    expect(look('App.java a.jar pom.xml').wanted).toEqual([])
    expect(look('app.js').wanted).toEqual([])
    expect(look('app.js index.html').wanted).toEqual([{ name: 'app.js' }])
  })

  test('that are wanted of many files are bounded, and the answer says so', () => {
    const names = Array.from({ length: 500 }, (_one, index) => `Class${index}.java`).join(' ')
    expect(look(names).wanted).toHaveLength(64)
    const { candidates } = look(names)
    expect(candidates.find(({ name }) => name === 'java')).toMatchObject({
      fits: false,
      reason: expect.stringContaining('only the first 64 of 500 *.java are read') as string,
    })
  })
})

describe('the explanation', () => {
  const reasons = (...question: Parameters<typeof look>) =>
    Object.fromEntries(
      look(...question).candidates.map(({ name, pipeline, verdict, reason }) => [
        pipeline === undefined ? name : `${pipeline.namespace}::${name}`,
        `${verdict}, because ${reason}`,
      ]),
    )

  test('names every pipeline, taken or passed over', () => {
    expect(reasons('Gemfile package.json lib.jar', { [`lib.jar${MANIFEST}`]: '' })).toEqual({
      '/apcera::bash': 'passed over, because none of its signs is there',
      '/apcera::java': 'passed over, because lib.jar names no Main-Class in its manifest',
      '/apcera::ruby': 'taken, because Gemfile is there',
      '/apcera::python': 'passed over, because none of its signs is there',
      '/apcera::php': 'passed over, because none of its signs is there',
      '/apcera::go': 'passed over, because none of its signs is there',
      '/apcera::perl': 'passed over, because none of its signs is there',
      '/apcera::nodejs': 'passed over, because ruby comes first, although package.json is there',
      '/apcera::static-site': 'passed over, because none of its signs is there',
      '/apcera::docker':
        'passed over, because no directory has its sign: it stages images, by `stagectl stage --image`',
      '/apcera::compiler':
        'passed over, because no directory has its sign: it builds packages from build scripts, by `stagectl package build`',
    })
    expect(reasons('')['/apcera::bash']).toBe('passed over, because the source is empty')
  })

  test('a standard pipeline that does not exist is taken all the same, so that nothing else is made of the source', () => {
    const { candidates } = look('Gemfile package.json', {}, [shared('nodejs')])
    expect(candidates.find(({ verdict }) => verdict === 'taken')).toMatchObject({ name: 'ruby', found: ['Gemfile'] })
    expect(candidates.find(({ verdict }) => verdict === 'taken')).not.toHaveProperty('pipeline')
  })
})

describe('signs of an own pipeline', () => {
  const own = (name: string, ...signs: string[]): KnownPipeline => ({ namespace: '/acme', name, signs })
  const withOwn = (names: string, ...pipelines: KnownPipeline[]) => fitting(names, {}, [...pipelines, ...ALL])

  test.each([
    ['deno.json', 'package.json deno.json', 'own nodejs'],
    ['deno.json', 'package.json', 'nodejs'],
    ['*.tf', 'main.tf bash_start.sh', 'own bash'],
    ['*.tf', 'MAIN.TF', 'own'],
    ['*.tf', 'tf main.tf.bak', ''],
    ['Chart.*ml', 'Chart.yaml', 'own'],
    ['Chart.*ml', 'Chart.ml', 'own'],
    ['a*a', 'a', ''],
    ['a*b*b', 'ab', ''],
    ['a*b*b', 'a1b2b', 'own'],
    ['charts/', 'charts/', 'own'],
    ['charts/', 'charts', ''],
    ['charts', 'charts/', ''],
    ['*/', 'x', ''],
    ['a.c', 'abc', ''],
  ])('%s in %s: %s', (sign, names, expected) => {
    expect(withOwn(names, own('own', sign))).toBe(expected)
  })

  test('are added to those of a standard pipeline of the same name', () => {
    expect(withOwn('requirements.txt', own('python', '*.py'))).toBe('python')
    expect(withOwn('tool.py package.json', own('python', '*.py'))).toBe('python nodejs')
    expect(withOwn('requirements.txt Gemfile', own('python', '*.py'))).toBe('ruby python')
  })

  test('of the first namespace come before those of the second, and hide one of the same name', () => {
    const pipelines = [own('rails', 'config/'), shared('charts', 'config/'), shared('rails', 'config/')]
    const { candidates } = look('config/ Gemfile', {}, [...pipelines, ...ALL])
    expect(candidates.filter(({ fits }) => fits).map(({ name }) => name)).toEqual(['rails', 'charts', 'ruby'])
    expect(candidates[0]).toMatchObject({ pipeline: { namespace: '/acme' }, verdict: 'taken' })
    expect(candidates.at(-1)).toMatchObject({ verdict: 'passed over', reason: '/acme has a pipeline of this name' })
  })

  test('with many stars take no longer', async () => {
    const sign = `${'*a'.repeat(60)}*b`
    const names = Array.from({ length: 1000 }, () => 'a'.repeat(250)).join(' ')
    expect(await cpuMsOf(() => withOwn(names, own('own', sign)))).toBeLessThan(5_000)
  })
})
