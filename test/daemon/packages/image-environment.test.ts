import { describe, expect, it } from 'vitest'
import { environmentOfImage } from '../../../daemon/images/image-environment.js'
import { assertImageReference } from '../../../daemon/packages/image-reference.js'

const NOTHING = { environment: [], workingDirectory: '', entrypoint: [], command: [] }

describe('how an image is run, as the environment of a package', () => {
  it('its variables are the package’s, and its directory and its words tell where and how to start', () => {
    expect(
      environmentOfImage({
        environment: ['PATH=/opt/bin:/bin', 'EMPTY=', 'OPTIONS=a=b c'],
        workingDirectory: '/srv/app',
        entrypoint: ['/bin/sh', '-c'],
        command: ["echo it's $HOME"],
      }),
    ).toEqual({
      PATH: '/opt/bin:/bin',
      EMPTY: '',
      OPTIONS: 'a=b c',
      START_PATH: '/srv/app',
      // Quoted, because START_COMMAND is read by a shell once more.
      START_COMMAND: String.raw`/bin/sh -c 'echo it'\''s $HOME'`,
    })
  })

  it('an image that says nothing brings nothing', () => {
    expect(environmentOfImage(NOTHING)).toEqual({})
  })

  it('an empty word stays a word', () => {
    expect(environmentOfImage({ ...NOTHING, command: ['a', '', 'b'] })).toEqual({ START_COMMAND: "a '' b" })
  })

  it('a variable that no package can have is left out', () => {
    expect(environmentOfImage({ ...NOTHING, environment: ['my.key=1', '__proto__=2', 'KEPT=3'] })).toEqual({
      KEPT: '3',
    })
  })
})

describe('names of images', () => {
  const digest = `sha256:${'0a'.repeat(32)}`
  it.each([
    'debian',
    'debian:12',
    'library/debian:bookworm-slim',
    'registry.example.org:5000/a/b_c/d-e:1.0_x',
    `debian@${digest}`,
    digest,
  ])('%s is one', (reference) => {
    expect(() => assertImageReference(reference)).not.toThrow()
  })
  it.each([
    '',
    'Debian',
    '../etc',
    'debian/../x',
    'debian:',
    'debian?all=1',
    'debian 12',
    '/debian',
    'debian@sha256:0',
  ])('%j is none', (reference) => {
    expect(() => assertImageReference(reference)).toThrow(/does not name an image/)
  })
})
