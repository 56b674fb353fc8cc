import { describe, expect, it } from 'vitest'
import { EMPTY_METADATA } from '../../../../daemon/packages/metadata.js'
import { withManifest, withOwnStartCommand } from '../../../../daemon/packages/manifest/apply-manifest.js'
import { parseManifest } from '../../../../daemon/packages/manifest/parse-manifest.js'

describe('the manifest of a package', () => {
  it('has its start command over that which stagers set', () => {
    const begun = withManifest(EMPTY_METADATA, parseManifest('start_cmd: "./mine"'))
    expect(begun.environment).toEqual({ START_COMMAND: './mine' })
    const staged = { ...begun, environment: { START_COMMAND: 'npm start', PORT: '1' } }
    expect(withOwnStartCommand(staged).environment).toEqual({ START_COMMAND: './mine', PORT: '1' })
  })

  it('without a start command leaves that of the stagers', () => {
    const staged = { ...EMPTY_METADATA, environment: { START_COMMAND: 'npm start' } }
    expect(withOwnStartCommand(withManifest(staged, {})).environment).toEqual({ START_COMMAND: 'npm start' })
  })

  it('that is applied twice changes nothing the second time', () => {
    const manifest = parseManifest('env { A: "1" }, templates [ { path: "app/x" } ], depends_on [ "os.linux" ]')
    const once = withManifest(EMPTY_METADATA, manifest)
    expect(withManifest(once, manifest)).toEqual(once)
  })
})
