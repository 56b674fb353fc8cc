import { describe, expect, it } from 'vitest'
import { environmentOfImage } from '../../../daemon/images/image-environment.js'
import { assertImageReference } from '../../../daemon/packages/image-reference.js'

const variablesOf = (config: Parameters<typeof environmentOfImage>[0]) => environmentOfImage(config).variables
const NOTHING = { environment: [], workingDirectory: '', entrypoint: [], command: [] }

describe('the run configuration of an image as the environment of a package', () => {
  it('keeps variables and derives START_PATH and START_COMMAND', () => {
    expect(
      variablesOf({
        environment: ['PATH=/opt/bin:/bin', 'EMPTY=', 'OPTIONS=a=b c', 'discovery.type=single-node'],
        workingDirectory: '/srv/app',
        entrypoint: ['/bin/sh', '-c'],
        command: ["echo it's $HOME"],
      }),
    ).toEqual({
      PATH: '/opt/bin:/bin',
      EMPTY: '',
      OPTIONS: 'a=b c',
      'discovery.type': 'single-node',
      START_PATH: '/srv/app',
      // Quoted, because a shell parses START_COMMAND.
      START_COMMAND: String.raw`/bin/sh -c 'echo it'\''s $HOME'`,
    })
  })

  it('is empty for an image without a configuration', () => {
    expect(variablesOf(NOTHING)).toEqual({})
  })

  it('keeps an empty argument', () => {
    expect(variablesOf({ ...NOTHING, command: ['a', '', 'b'] })).toEqual({ START_COMMAND: "a '' b" })
  })

  it('names the variables that a package cannot have', () => {
    expect(environmentOfImage({ ...NOTHING, environment: ['my.key=1', '__proto__=2', '=3', 'KEPT=4'] })).toEqual({
      variables: { 'my.key': '1', KEPT: '4' },
      dropped: ['__proto__', ''],
    })
  })
})

describe('an image reference', () => {
  const digest = `sha256:${'0a'.repeat(32)}`
  it.each([
    'debian',
    'debian:12',
    'library/debian:bookworm-slim',
    'registry.example.org:5000/a/b_c/d-e:1.0_x',
    `debian@${digest}`,
    digest,
  ])('%s is valid', (reference) => {
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
  ])('%j is not valid', (reference) => {
    expect(() => assertImageReference(reference)).toThrow(/is not a valid image reference/)
  })
})
