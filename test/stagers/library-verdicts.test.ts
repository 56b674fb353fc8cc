import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { BadInput, Conflict, Refused, TooLarge, Unavailable } from '../../base/errors.js'
import { openCoordinator } from '../support/open-coordinator.js'
import { directoryOf } from '../support/small-trees.js'
import { attempt, type Call, callLibrary, LANGUAGES } from '../support/stager-library.js'

describe.each(LANGUAGES)('the library for stagers in $language', (language) => {
  const open = async () => {
    const coordinator = await openCoordinator()
    const call = (...calls: Call[]) => callLibrary(language, { STAGER_URL: coordinator.url }, ...calls)
    return { ...coordinator, call }
  }

  describe('a verdict', () => {
    it.each([
      ['finish', 'done'],
      ['relaunch', 'relaunch'],
    ])('%s posts %s and exits with 0', async (name, verdict) => {
      const { call, handler } = await open()
      expect(await call(['say', 'Almost'], [name], ['say', 'Never'])).toEqual({
        exitCode: 0,
        output: '-----> Almost\n',
      })
      expect(handler.calls).toEqual([`verdict ${verdict}`])
    })

    it('fail prints its sentence, posts failed and exits with 1', async () => {
      const { call, handler } = await open()
      expect(await call(['fail', 'index.html is missing: add it.'])).toEqual({
        exitCode: 1,
        output: 'index.html is missing: add it.\n',
      })
      expect(handler.calls).toEqual(['verdict failed'])
    })

    it('is failed for a stager that just ends', async () => {
      const { call, handler } = await open()
      const { exitCode, output } = await call(['nothing'])
      expect(exitCode).toBe(1)
      expect(output).toMatch(/^The stager ended without a verdict: end it with finish, fail or relaunch_?with\.\n$/i)
      expect(handler.calls).toEqual(['verdict failed'])
    })

    it('is failed for a stager with a mistake, after the place of it', async () => {
      const { call, handler } = await open()
      const { exitCode, output } = await call(['raise'])
      expect(exitCode).toBe(1)
      expect(output).toMatch(/a mistake|call\.sh, line \d+: false/)
      expect(output).toMatch(/call\.(sh|rb|py|mjs)/)
      expect(handler.calls).toEqual(['verdict failed'])
    })
  })

  describe('the dance of a relaunch', () => {
    it('adds the dependencies that are missing, and relaunches', async () => {
      const { call, handler } = await open()
      handler.meta = { ...handler.meta, dependencies: [{ type: 'os', name: 'debian' }] }
      expect(await call(['relaunch_with', 'os.debian', 'runtime.node'], ['fail', 'It goes on.'])).toEqual({
        exitCode: 0,
        output: '',
      })
      expect(handler.calls).toEqual(['alter dependencies add', 'needs relaunch', 'verdict relaunch'])
      expect(handler.meta.dependencies.at(-1)).toEqual({ type: 'runtime', name: 'node' })
    })

    it('adds them and goes on, when a relaunch would change nothing', async () => {
      const { call, handler } = await open()
      handler.relaunchIsNeeded = false
      const ended = await call(['relaunch_with', 'runtime.node'], ['meta_has_dependency', 'runtime.node'], ['finish'])
      expect(ended.exitCode).toBe(0)
      expect(handler.calls).toEqual(['alter dependencies add', 'needs relaunch', 'verdict done'])
      expect(handler.meta.dependencies).toEqual([{ type: 'runtime', name: 'node' }])
    })

    it('does nothing when they are there', async () => {
      const { call, handler } = await open()
      handler.meta = {
        ...handler.meta,
        dependencies: [
          { type: 'runtime', name: 'node' },
          { type: 'os', name: 'debian' },
        ],
      }
      await call(['relaunch_with', 'os.debian', 'runtime.node'], ['finish'])
      expect(handler.calls).toEqual(['verdict done'])
    })

    it('takes no longer name for the one that is asked for', async () => {
      const { call, handler } = await open()
      handler.meta = { ...handler.meta, dependencies: [{ type: 'runtime', name: 'node-20' }] }
      await call(['relaunch_with', 'runtime.node'], ['finish'])
      expect(handler.calls.at(-1)).toBe('verdict relaunch')
    })
  })

  describe('a refusal', () => {
    const sentence = 'The quota of /acme is used up: remove a package.'
    const error = new Refused('over-quota', sentence)

    it.each<[string, string, Call]>([
      ['GET /data', 'open', ['get_data', '/nonexistent/directory']],
      ['PUT /meta', 'alter environment add', ['set_env', 'A', '1']],
      ['POST /done', 'verdict done', ['finish']],
    ])('of %s (%s) ends the stager with the sentence', async (asked, refused, call) => {
      const coordinator = await open()
      coordinator.handler.before = (name) => {
        if (name.startsWith(refused)) throw error
      }
      const ended = await coordinator.call(call, ['finish'])
      expect(ended).toEqual({ exitCode: 1, output: `${asked} was refused with 499: ${sentence}\n` })
      expect(coordinator.handler.calls.at(-1)).toBe('verdict failed')
    })

    it('of any request is an error of the function with the sentence, and is never repeated', async () => {
      const requests: [asked: string, refused: string, call: Call][] = [
        ['GET /data', 'open', ['get_data', '/nonexistent/directory']],
        ['POST /data', 'replace', ['put_data', import.meta.dirname]],
        ['POST /snapshot', 'snapshot (everything)', ['snapshot']],
        ['PUT /meta', 'alter environment add', ['set_env', 'A', '1']],
        ['PUT /meta', 'alter environment remove', ['unset_env', 'A']],
        ['PUT /meta', 'alter provides add', ['add_provides', 'package.a']],
        ['PUT /meta', 'alter provides remove', ['remove_provides', 'package.a']],
        ['PUT /meta', 'alter dependencies add', ['add_dependencies', 'package.a']],
        ['PUT /meta', 'alter dependencies remove', ['remove_dependencies', 'package.a']],
        ['PUT /meta', 'alter dependencies add', ['relaunch_with', 'package.a']],
        ['PUT /meta', 'alter templates add', ['add_template', 'a']],
        ['PUT /meta', 'alter templates remove', ['remove_template', 'a']],
        ['POST /done', 'verdict done', ['finish']],
        ['POST /relaunch', 'verdict relaunch', ['relaunch']],
      ]
      const { call, handler } = await open()
      handler.before = (name) => {
        if (name !== 'verdict failed') throw error
      }
      const { exitCode, output } = await call(...requests.map(([, , one]) => attempt(one)), ['fail', 'So it is.'])
      const sentences = requests.map(([asked]) => `${asked} was refused with 499: ${sentence}`)
      expect([exitCode, output.split('\n')]).toEqual([1, [...sentences, 'So it is.', '']])
      const without = (name: string) => name.replace(/ without .*/, '')
      expect(handler.calls.map(without)).toEqual([...requests.map(([, refused]) => refused), 'verdict failed'])
    })

    it('has the status and the sentence of the answer', async () => {
      const requests: [number, Call, RegExp][] = [
        [445, ['set_env', 'A', 'x'.repeat(100_000)], /longer than 96 KiB/],
        [448, ['change_meta', 'labels', 'add', 'name=x=y'], /"labels" is not supported/],
        [499, ['change_meta', 'environment', 'set', 'key=A', 'value=1'], /"set" is not an action/],
        [499, ['set_env', 'A=B', '1'], /cannot name an environment variable/],
        [499, ['add_dependencies', 'service.x'], /"service" is not a type of dependencies/],
        [499, ['add_provides', 'os.'], /os|name/],
        [499, ['add_template', '../x'], /not a path of a template/],
      ]
      const { call } = await open()
      const { output } = await call(...requests.map(([, one]) => attempt(one)), ['finish'])
      const lines = output.trimEnd().split('\n')
      expect(lines).toHaveLength(requests.length)
      for (const [index, [status, , text]] of requests.entries()) {
        expect(lines[index]).toMatch(new RegExp(`^PUT /meta was refused with ${status}: `))
        expect(lines[index]).toMatch(text)
      }
    })

    it.each<[number, string, RegExp]>([
      [450, '', /missing a UUID/],
      [451, '/undefined', /"undefined" is not a UUID/],
      [452, `/${randomUUID()}`, /not that of the current launch/],
    ])('with %i of an address that ends with "%s"', async (status, path, text) => {
      const { origin } = await open()
      const { exitCode, output } = await callLibrary(language, { STAGER_URL: origin + path }, ['meta_env', 'A'])
      expect(exitCode).toBe(1)
      expect(output).toMatch(new RegExp(`^GET /meta was refused with ${status}: `))
      expect(output).toMatch(text)
    })

    it('with 445 of metadata that cannot be read', async () => {
      const { call, handler } = await open()
      handler.meta = { ...handler.meta, environment: { A: 'x\0' } }
      const { output } = await call(['meta_has_dependency', 'os.debian'])
      expect(output).toMatch(/^GET \/meta was refused with 445: Failed to marshal environment variables/)
    })

    it('with 452 after the end of the launch is told once', async () => {
      const { call, handler } = await open()
      handler.before = () => {
        throw new Conflict('launch-over', 'The launch has ended by its timeout.')
      }
      expect(await call(['snapshot'])).toEqual({
        exitCode: 1,
        output: 'POST /snapshot was refused with 452: The launch has ended by its timeout.\n',
      })
    })

    it('of a large upload has its sentence, whatever the cause', async () => {
      const causes = [
        new BadInput('bad-archive', 'The entry "../x" climbs out.'),
        new TooLarge('blob-too-large', 'At most 2 GiB.'),
        new Unavailable('disk-full', 'full'),
      ]
      const { call, handler } = await open()
      handler.before = (name) => {
        if (name === 'replace') throw causes[handler.calls.length - 1]!
      }
      const directory = await directoryOf({ noise: randomBytes(8_000_000) })
      const { output } = await call(...causes.map(() => attempt(['put_data', directory])), ['fail', 'So it is.'])
      const lines = output.split('\n')
      expect(lines.slice(causes.length)).toEqual(['So it is.', ''])
      for (const line of lines.slice(0, causes.length))
        expect(line).toMatch(/^POST \/data was refused with 499: .+[.:]/)
      expect(handler.calls).toEqual([...causes.map(() => 'replace'), 'verdict failed'])
    })
  })

  it('says what it is when it was not started by stagerd', async () => {
    expect(await callLibrary(language, { STAGER_URL: '' }, ['finish'])).toEqual({
      exitCode: 1,
      output: 'STAGER_URL is not set: this is a stager, and only stagerd starts it.\n',
    })
  })

  it.each(['in_stagerfs', 'in_stagerfs_as_root'])('%s needs an operating system', async (name) => {
    const { call } = await open()
    expect((await call([name, 'true'])).output).toMatch(/^\/stagerfs has no \/bin\/sh: give the package an operating/)
  })
})
