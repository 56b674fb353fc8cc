import { describe, expect, it, test } from 'vitest'
import { chooseHint, HINT_RULES } from '../../../../daemon/staging/hints/choose-hint.js'
import { findTrace, readableLines } from '../../../../daemon/staging/hints/trace.js'
import type { HintContext } from '../../../../daemon/staging/hints/hint-rule.js'
import { RUN, SAMPLES, STAGER } from './samples.js'
import { cpuMsOf } from '../../../support/cpu-time.js'

const hintOf = (output: string, context: Partial<HintContext> = {}) =>
  chooseHint(output.split('\n'), { ...STAGER, ...context })

describe('the hint of a known reason', () => {
  test.each(SAMPLES.map((sample) => [sample.rule, sample] as const))('%s', (name, { output, hint, context }) => {
    const rule = HINT_RULES.find((each) => each.name === name)!
    const found = rule.traces.map((trace) => findTrace(trace, readableLines(output.split('\n'))))
    expect(found.some(Boolean), 'the traces of the rule are in the output').toBe(true)
    const shown = hintOf(output, context)
    expect(shown).toContain(hint)
    // One sentence, so that it fits behind "What to do:".
    expect(shown).toMatch(/^[^\n\x1b]+\.$/)
    // No other rule has been quicker.
    const texts = rule.traces.map((trace) => {
      const groups = findTrace(trace, readableLines(output.split('\n')))
      return groups && rule.hint({ ...STAGER, ...context }, groups)
    })
    expect(texts).toContain(shown)
  })

  it('exists for every rule', () => {
    expect(new Set(SAMPLES.map(({ rule }) => rule))).toEqual(new Set(HINT_RULES.map(({ name }) => name)))
  })

  it('is found among colours and indentation, and in front of what comes after it', () => {
    const output = `       \x1b[31mnpm\x1b[0m error Missing script: "start"${'\nnpm error more'.repeat(100)}`
    expect(hintOf(output)).toContain('no script "start"')
  })

  it('names the commands of a run', () => {
    expect(hintOf('Error: getaddrinfo ENOTFOUND api.example.com', RUN)).toBe(
      "It cannot reach api.example.com, because it has no network access: allow it with 'stagectl run --allow-egress'.",
    )
    const heap = 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'
    expect(hintOf(heap, RUN)).toContain("'stagectl run --memory 1024MB'")
  })
})

describe('no hint', () => {
  test.each<[why: string, output: string, context?: Partial<HintContext>]>([
    ['for an output that says nothing', ''],
    ['for tests that fail', '1) adds numbers\nAssertionError: expected 3 to equal 4\n1 failing'],
    ['for a service of the application, whose name has no dot', 'Error: getaddrinfo ENOTFOUND redis'],
    [
      'for a retry that may have succeeded',
      'npm warn tarball getaddrinfo EAI_AGAIN registry.npmjs.org\nassertion failed',
    ],
    [
      'for a retry of Bundler that may have succeeded',
      'Retrying fetcher due to error (2/4): Bundler::HTTPError Could not fetch specs, Failed to open TCP connection to rubygems.org:443 (Connection refused)\nrspec: 1 failure',
      { egress: true },
    ],
    [
      'about the lists of apt, which only warn',
      "W: Failed to fetch http://deb.debian.org/x  Temporary failure resolving 'deb.debian.org'\nmake: *** [all] Error 1",
    ],
    ['about certificates without egress', 'curl: (60) SSL certificate problem: self-signed certificate'],
    ['for a file that bash may not write to', 'bash: line 1: ./result.txt: Permission denied'],
    ['for a file that dash may not write to', 'sh: 1: cannot create ./result.sh: Permission denied'],
    ['for a program that a script can do without', './build: line 2: tput: command not found\nassertion failed'],
    ['about a database that a stager looks for', 'Error: connect ECONNREFUSED 127.0.0.1:5432'],
    ['for words about an error that are not the error', 'Read about "npm error Missing script" in the manual'],
    ['about a script that is mentioned in the middle of a line', 'note: npm error Missing script: "start"'],
  ])('%s', (_why, output, context) => {
    expect(hintOf(output, context)).toBeUndefined()
  })
})

describe('what a stager writes', () => {
  it('is repeated only in the characters that a rule admits', () => {
    expect(hintOf('npm error Missing script: "x\x1b]0;title\x07"')).not.toMatch(/\x1b|\x07/)
    expect(hintOf("Error: Cannot find module './a\x1b[2J'")).toContain('no file ./a')
    expect(hintOf("ModuleNotFoundError: No module named '\u202eevil'")).toBeUndefined()
    expect(hintOf(`E: Unable to locate package ${'x'.repeat(500)}`, { egress: true })).toBeUndefined()
  })

  it('is searched by patterns that need time linear in the length of a line', () => {
    for (const { name, traces } of HINT_RULES)
      for (const { source } of traces.flat()) {
        const outsideOfClasses = source.replace(/\\./g, '_').replace(/\[[^\]]*\]/g, '_')
        const unlimited = outsideOfClasses.match(/[*+]|\{\d+,\}/g) ?? []
        expect(unlimited.length, `${name}: ${source}`).toBeLessThanOrEqual(source.startsWith('^') ? 1 : 0)
      }
  })

  // Every literal of the patterns, and what their classes admit, as often as the output may have it.
  const bait = HINT_RULES.flatMap(({ traces }) => traces.flat().map(({ source }) => source.replace(/[\\^$?(){}]/g, '')))
  test.each([
    ['letters', 'a'],
    ['names of hosts', 'a.'],
    ['paths', '../a'],
    ['digits', '1.'],
    ['spaces', '. '],
    ['arrows', '> a.b '],
    ['the beginning of a message', 'npm error '],
    ['servers', 'listening running '],
    ['names of hosts behind messages', "host='a.b', lookup a. getaddrinfo ENOTFOUND a."],
    ['all messages', bait.join(' ')],
  ])('does not keep the daemon busy: %s', async (_what, text) => {
    const line = text.repeat(Math.ceil(20_000 / text.length))
    const output = Array.from({ length: 200 }, () => line).join('\n')
    expect(await cpuMsOf(() => hintOf(output, RUN))).toBeLessThan(5_000)
  })

  it('does not keep the daemon busy with the text of any single pattern', async () => {
    for (const text of bait) {
      const line = text.repeat(Math.ceil(2_000 / Math.max(1, text.length)))
      const output = Array.from({ length: 10 }, () => line).join('\n')
      expect(await cpuMsOf(() => hintOf(output, RUN)), text).toBeLessThan(1_000)
    }
  })
})

describe('a run that is not reached', () => {
  const elsewhere =
    "It listens on port 8080, which is not published: let it listen on the port that the variable PORT names, or publish that port with 'stagectl run --publish 8080'."
  test.each([
    ['Server listening on port 8080'],
    ['Listening on :8080'],
    ['listening on 0.0.0.0:8080'],
    ['Server running at http://127.0.0.1:8080/'],
    [' * Running on http://127.0.0.1:8080'],
    ['* Listening on tcp://0.0.0.0:8080'],
    ['[2026-01-01 10:00:00 +0000] [7] [INFO] Listening at: http://127.0.0.1:8080 (7)'],
    ['INFO:     Uvicorn running on http://127.0.0.1:8080 (Press CTRL+C to quit)'],
    ['Starting development server at http://127.0.0.1:8080/'],
    ['Tomcat started on port(s): 8080 (http) with context path'],
    ['INFO  WEBrick::HTTPServer#start: pid=1 port=8080'],
    ['== Sinatra (v3.0.5) has taken the stage on 8080 for development with backup from Puma'],
    ['HTTP::Server::PSGI: Accepting connections at http://0:8080/'],
    ['[Thu Jan  1 10:00:00 2026] PHP 8.2.7 Development Server (http://localhost:8080) started'],
  ])('because its port is another one: %s', (line) => {
    expect(hintOf(line, RUN)).toBe(elsewhere)
  })

  it('because PORT of the package is not published', () => {
    expect(hintOf('listening on 8080', { ...RUN, port: '8080' })).toBe(
      "It listens on port 8080, which is not published: publish that port with 'stagectl run --publish 8080'.",
    )
  })

  it('because it listens on the loopback address', () => {
    expect(hintOf(' * Running on http://127.0.0.1:3000', RUN)).toContain('let it listen on 0.0.0.0')
  })

  test.each([
    ['listens where it should', 'Server listening on port 3000'],
    ['has a second port', 'metrics server listening on port 9100\nServer listening on port 3000'],
    [
      'listens on all addresses, and says so for each',
      'Running on http://127.0.0.1:3000\nRunning on http://10.0.0.2:3000',
    ],
    ['tells of its database', 'Database running on port 5432'],
    ['tells no port', 'Server started'],
    ['tells a version', 'listening on 8080.5'],
  ])('gets no hint if it %s', (_what, output) => {
    expect(hintOf(output, RUN)).toBeUndefined()
  })

  it('gets no hint without a published port', () => {
    expect(hintOf('Server listening on port 8080', { ...RUN, published: [], port: undefined })).toBeUndefined()
  })
})
