import { describe, expect, it } from 'vitest'
import type { Manifest } from '../../../../daemon/packages/manifest/manifest.js'
import {
  parseKeptManifest,
  parseManifest,
  parsePlacedManifest,
} from '../../../../daemon/packages/manifest/parse-manifest.js'

const WHOLE = `
# A shop.
name: "shop"
namespace: "/dev/test"
staging_pipeline: "/apcera::ruby"
path: "./src/app/"
start_cmd: "bundle exec rackup config.ru -p $PORT"
package_dependencies [ "runtime.ruby-2.0.0", { package: "imagemagick" } ]
env {
  "RAILS_ENV": "production"
  GREETING: "hello from {{name}}"
}
templates [
  { path: "/app/config/database.yml" }
  { path: "app.rb", left_delimiter: "<<", right_delimiter: ">>" }
]
resources { cpu: 500, memory: "512MB", disk_space: 2GB, network_bandwidth: "100Mbps" }
instances: 2
ports [
  { number: 0, routes [ { type: http, endpoint: "shop.example.com", weight: 50.5 }, { endpoint: auto } ] }
  { number: 6379, routes [ { type: tcp } ] }
  { number: 9000 }
]
disable_routes: false
allow_egress: true
start: true
services [ { provider_name: "/apcera/providers::mysql", type: mysql, service_name: "db" } ]
stager_options [ { stager_name: "rails", services [ { service_name: "db" } ] } ]
timeout: 60
restart: always
tags { team: "shop" }
user: runner, group: runner, ssh: false
`

describe('a manifest', () => {
  it('says what is staged, and what a job needs', () => {
    expect(parseManifest(WHOLE)).toEqual({
      name: 'shop',
      namespace: '/dev/test',
      staging_pipeline: '/apcera::ruby',
      path: 'src/app',
      start_cmd: 'bundle exec rackup config.ru -p $PORT',
      package_dependencies: [
        { type: 'runtime', name: 'ruby-2.0.0' },
        { type: 'package', name: 'imagemagick' },
      ],
      env: { RAILS_ENV: 'production', GREETING: 'hello from {{name}}' },
      templates: [
        { path: 'app/config/database.yml', left_delimiter: '{{', right_delimiter: '}}' },
        { path: 'app.rb', left_delimiter: '<<', right_delimiter: '>>' },
      ],
      resources: {
        cpu: 500,
        memory_bytes: 512 * 1024 ** 2,
        disk_bytes: 2 * 1024 ** 3,
        network_bits_per_second: 100_000_000,
      },
      instances: 2,
      ports: [
        {
          number: 0,
          routes: [
            { type: 'http', endpoint: 'shop.example.com', weight: 50.5 },
            { type: 'http', endpoint: 'auto' },
          ],
        },
        { number: 6379, routes: [{ type: 'tcp', endpoint: 'auto' }] },
        { number: 9000, routes: [] },
      ],
      disable_routes: false,
      allow_egress: true,
      start: true,
      services: [{ provider_name: '/apcera/providers::mysql', type: 'mysql', service_name: 'db' }],
      stager_options: [{ stager_name: 'rails', services: [{ service_name: 'db' }] }],
      timeout: 60,
      restart: 'always',
      tags: { team: 'shop' },
      user: 'runner',
      group: 'runner',
      ssh: false,
    } satisfies Manifest)
  })

  it('is kept with the places of what runs of its package judge', () => {
    const { places, ...manifest } = parseKeptManifest(WHOLE)
    expect(manifest).toEqual(parseManifest(WHOLE))
    expect(places).toEqual({
      'env/RAILS_ENV': { line: 10, column: 16 },
      'env/GREETING': { line: 11, column: 13 },
      'templates/0/path': { line: 14, column: 11 },
      'templates/1/path': { line: 15, column: 11 },
    })
    expect(parseKeptManifest('name: shop')).toEqual({ name: 'shop' })
  })

  it.each<[what: string, text: string, manifest: Manifest]>([
    ['nothing', '', {}],
    ['only comments', '# name: "x"\n\n', {}],
    ['JSON', '{"name": "shop", "instances": 2}'.slice(1, -1), { name: 'shop', instances: 2 }],
    ['colons before brackets', 'env: { A: "b" }, templates: []', { env: { A: 'b' }, templates: [] }],
    ['lines with carriage returns', 'name: shop\r\nstart: true\r\n', { name: 'shop', start: true }],
    ['its own directory as its path', 'path: "."', {}],
    ['its own directory with a slash', 'path: "./"', {}],
    ['a pipeline without its first slash', 'staging_pipeline: "apcera::ruby"', { staging_pipeline: '/apcera::ruby' }],
    ['a pipeline in the root', 'staging_pipeline: "/::ruby"', { staging_pipeline: '/::ruby' }],
    ['a local pipeline', 'staging_pipeline: ruby', { staging_pipeline: 'ruby' }],
    ['a whole name', 'staging_pipeline: "stagpipe::/apcera::ruby"', { staging_pipeline: '/apcera::ruby' }],
    [
      'words without quotes',
      'namespace: /dev, staging_pipeline: /apcera::go',
      { namespace: '/dev', staging_pipeline: '/apcera::go' },
    ],
    ['depends_on', 'depends_on [ "os.linux" ]', { package_dependencies: [{ type: 'os', name: 'linux' }] }],
    [
      'blocks in depends_on',
      'depends_on [ { runtime: "go" } ]',
      { package_dependencies: [{ type: 'runtime', name: 'go' }] },
    ],
    ['percent of a CPU', 'resources { cpu: 50% }', { resources: { cpu: 500 } }],
    ['percent in quotes', 'resources { cpu: "150 %" }', { resources: { cpu: 1500 } }],
    ['milliseconds with their unit', 'resources { cpu: "250ms/s" }', { resources: { cpu: 250 } }],
    ['bytes', 'resources { memory: 268435456 }', { resources: { memory_bytes: 2 ** 28 } }],
    [
      'other units',
      'resources { memory: 1.5g, network_bandwidth: 500kbps }',
      { resources: { memory_bytes: 1.5 * 2 ** 30, network_bits_per_second: 500_000 } },
    ],
    ['tags in a list', 'tags [ "team:shop", beta ]', { tags: { team: 'shop', beta: '' } }],
    [
      'a variable that is a name of objects',
      'env { toString: "x", constructor: "y" }',
      {
        env: Object.fromEntries([
          ['toString', 'x'],
          ['constructor', 'y'],
        ]),
      },
    ],
    [
      'a template in a variable',
      `env { A: '{{range tags}}{{.Name}}{{end}}' }`,
      { env: { A: '{{range tags}}{{.Name}}{{end}}' } },
    ],
  ])('may have %s', (_what, text, manifest) => {
    expect(parseManifest(text)).toEqual(manifest)
  })

  it.each<[text: string, message: string]>([
    [
      'name: "my app"',
      'Line 1, column 7: expected a valid value, found an invalid one: "my app" is not a name: a name has 1 to 128 letters, digits or ._+@- and begins with a letter or digit.',
    ],
    [
      'namespace: dev',
      'Line 1, column 12: expected a valid value, found an invalid one: "dev" is not a namespace: a namespace begins with / and has segments of letters, digits or ._- such as /acme/pkg.',
    ],
    [
      'staging_pipeline: "/apcera/ruby"',
      'Line 1, column 19: expected a valid value, found an invalid one: "/apcera/ruby" is not a name: write two colons before the name, as in /apcera::ruby.',
    ],
    [
      'staging_pipeline: "job::/apcera::ruby"',
      'Line 1, column 19: expected a valid value, found an invalid one: "/job::/apcera::ruby" names a /job, but a stagpipe is expected: write stagpipe::/apcera::ruby.',
    ],
    [
      'path: "/etc"',
      'Line 1, column 7: expected a valid value, found an invalid one: "/etc" is not a path relative to the directory of the manifest, without "." and "..".',
    ],
    [
      'path: "a/../../b"',
      'Line 1, column 7: expected a valid value, found an invalid one: "a/../../b" is not a path relative to the directory of the manifest, without "." and "..".',
    ],
    [
      'path: "/"',
      'Line 1, column 7: expected a valid value, found an invalid one: "/" is not a path relative to the directory of the manifest, without "." and "..".',
    ],
    [
      'start_cmd: " "',
      'Line 1, column 12: expected a valid value, found an invalid one: The command must not be empty.',
    ],
    [
      'package_dependencies [ "ruby" ]',
      'Line 1, column 24: expected a type (os, runtime, file, package), a dot and a name, found "ruby".',
    ],
    [
      'package_dependencies: "os.linux"',
      'Line 1, column 23: expected a list in [ ] for package_dependencies, found "os.linux".',
    ],
    [
      'depends_on []\npackage_dependencies []',
      'Line 1, column 12: expected either package_dependencies or depends_on, which mean the same, found both.',
    ],
    [
      'env { "A=B": "c" }',
      'Line 1, column 7: expected a valid value, found an invalid one: "A=B" cannot name an environment variable: a name is text of 1 to 1024 bytes without "=" and NUL, and not __proto__.',
    ],
    ['env { A: "b", A: "c" }', 'Line 1, column 15: expected the key A only once (it is already in line 1), found "A".'],
    ['env { A: [ b ] }', 'Line 1, column 10: expected a string for A, found a list.'],
    [
      'env { A: "x{{nmae}}" }',
      'Line 1, column 10: expected name, or another one of the values (uuid, name, num_instances, cpu, memory, disk, port, env_map, env, tags, has_tag, routes, bindings, binding_service), if, range, else or end, at character 4 of this value, found "nmae".',
    ],
    [
      'templates [ { left_delimiter: "<<" } ]',
      'Line 1, column 13: expected the key path, found a template without one.',
    ],
    [
      'templates [ { path: "../x" } ]',
      'Line 1, column 21: expected a valid value, found an invalid one: "../x" is not a path of a template, such as app/config.yml: ".." could lead out of the package; write paths from the root.',
    ],
    [
      'templates [ { path: x, delimiter: "<" } ]',
      'Line 1, column 24: expected left_delimiter, or another one of the keys of a template (path, left_delimiter, right_delimiter), found "delimiter".',
    ],
    ['resources { memory: 1 }', 'Line 1, column 21: expected at least 6MB for memory, with its unit, found "1".'],
    [
      'resources { memory: much }',
      'Line 1, column 21: expected a number of bytes, or a number with one of the units B, KB, MB, GB and TB, such as 256MB or 1.5G, for memory, found "much".',
    ],
    [
      'resources { cpu: 0 }',
      'Line 1, column 18: expected milliseconds of a CPU in each second, such as 500, or percent of a CPU, such as 50%, for cpu, found "0".',
    ],
    [
      'resources { network_bandwidth: 5 }',
      'Line 1, column 32: expected bits in each second, such as 5Mbps, for network_bandwidth, found "5".',
    ],
    [
      'resources { disk: 1GB }',
      'Line 1, column 13: expected one of the keys of resources (cpu, memory, disk_space, network_bandwidth), found "disk".',
    ],
    ['resources: "256MB"', 'Line 1, column 12: expected a block in { } for resources, found "256MB".'],
    ['instances: many', 'Line 1, column 12: expected a whole number from 1 to 10000 for instances, found "many".'],
    [
      'ports [ { number: 70000 } ]',
      'Line 1, column 19: expected a whole number from 0 to 65535 for number, found "70000".',
    ],
    ['ports [ { routes [] } ]', 'Line 1, column 9: expected the key number, found a port without one.'],
    [
      'ports [ { number: 0, routes [ { type: udp } ] } ]',
      'Line 1, column 39: expected http or tcp for type, found "udp".',
    ],
    [
      'ports [ { number: 0, routes [ { endpoint: "a b" } ] } ]',
      'Line 1, column 43: expected auto or a host name, such as shop.example.com, for endpoint, found "a b".',
    ],
    [
      'ports [ { number: 0, routes [ { weight: 101 } ] } ]',
      'Line 1, column 41: expected a number from 0 to 100 for weight, found "101".',
    ],
    ['start: yes', 'Line 1, column 8: expected true or false for start, found "yes".'],
    ['services [ {} ]', 'Line 1, column 12: expected a provider_name, a type or a service_name, found a block.'],
    [
      'stager_options [ { services [] } ]',
      'Line 1, column 18: expected the key stager_name, found options of a stager without one.',
    ],
    ['timeout: 5m', 'Line 1, column 10: expected a whole number from 1 to 86400 for timeout, found "5m".'],
    ['user: ""', 'Line 1, column 7: expected a text for user, found "".'],
    ['name: a\nname: b', 'Line 2, column 1: expected the key name only once (it is already in line 1), found "name".'],
    [
      'start_command: "x"',
      'Line 1, column 1: expected start_cmd, or another one of the keys of a manifest (name, namespace, staging_pipeline, path, start_cmd, package_dependencies, depends_on, env, templates, resources, instances, ports, disable_routes, allow_egress, start, services, stager_options, timeout, restart, tags, user, group, ssh), found "start_command".',
    ],
    [
      'name "shop',
      'Line 1, column 6: expected a closing quote on the same line, found "\\"shop" without a closing quote on the same line.',
    ],
    [
      'env { A: "b"',
      'Line 1, column 13: expected a comma, a new line or the } that closes the block, found the end of the document.',
    ],
    ['name: (\nshop\n)', 'Line 1, column 7: expected a string for name, found a body in ( ).'],
  ])('with a mistake says where it is: %j', (text, message) => {
    expect(() => parseManifest(text)).toThrow(expect.objectContaining({ code: 'bad-syntax', message }))
  })

  it.each([
    ['Name', 'name'],
    ['nmae', 'name'],
    ['pipeline', undefined],
    ['stagingPipeline', 'staging_pipeline'],
    ['staging-pipeline', 'staging_pipeline'],
    ['enviroment', undefined],
    ['template', 'templates'],
    ['ressources', 'resources'],
    ['port', 'ports'],
    ['memory', undefined],
    ['x', undefined],
  ])('with the unknown key %s names the nearest one: %s', (key, near) => {
    const [, expected] = /expected (.*?)one of the keys/.exec(messageOf(() => parseManifest(`${key}: x`))) ?? []
    expect(expected).toBe(near === undefined ? '' : `${near}, or another `)
  })

  it('tells where each value is, for what can be judged only later', () => {
    const text =
      'path: src\nenv { A: "1" }\ndepends_on [ { os: linux, runtime: ruby }, "package.x" ]\nresources { cpu: 50% }'
    expect(parsePlacedManifest(text).places).toMatchObject({
      path: { line: 1, column: 7 },
      'env/A': { line: 2, column: 10 },
      depends_on: { line: 3, column: 12 },
      'package_dependencies/0': { line: 3, column: 20 },
      'package_dependencies/1': { line: 3, column: 36 },
      'package_dependencies/2': { line: 3, column: 44 },
      'resources/cpu': { line: 4, column: 18 },
    })
  })

  it.each([
    ['env { A: [ b ], "B=": c, C: d, C: e }', ['1:10', '1:17', '1:32']],
    ['depends_on [ ruby, "os.linux", { thing: x } ]', ['1:14', '1:34']],
    ['tags { a: "1", a: "2", b: [] }', ['1:19', '1:27']],
    ['tags [ "a:1", ":2", "a" ]', ['1:15', '1:21']],
    ['templates [ { path: x, left_delimiter: "" } ]', ['1:40']],
  ])('tells every mistake within a value: %j', (text, places) => {
    const found = messageOf(() => parseManifest(text)).matchAll(/Line (\d+), column (\d+): expected/g)
    expect([...found].map(([, line, column]) => `${line}:${column}`)).toEqual(places)
  })

  it.each([
    [
      `env { ${Array.from({ length: 1025 }, (_, n) => `A${n}: x`).join()} }`,
      'Line 1, column 5: expected at most 1024 entries in env, found 1025 of them.',
    ],
    [
      `name: x, depends_on [ ${Array.from({ length: 513 }, (_, n) => `"os.a${n}"`).join()} ]`,
      'Line 1, column 21: expected at most 512 entries in package_dependencies, found 513 of them.',
    ],
    [
      `env { ${Array.from({ length: 20 }, (_, n) => `A${n}: "${'x'.repeat(90_000)}"`).join()} }`,
      'Line 1, column 1: expected at most 1 MiB of metadata in a manifest, found 1800220 bytes.',
    ],
  ])('refuses what no package can hold', (text, message) => {
    expect(() => parseManifest(text)).toThrow(expect.objectContaining({ code: 'bad-syntax', message }))
  })

  it('with several mistakes tells all of them, in their order', () => {
    const text =
      'nmae: shop\nresources { cpu: x, memory: y }\nenv { A: "{{" }\nports [ { number: -1 }, { number: 0 }, x ]\nstart: 1'
    const lines = messageOf(() => parseManifest(text)).split('\n')
    expect(lines[0]).toBe('There are 7 mistakes.')
    expect(lines.slice(1).map((line) => /^ {2}Line (\d+), column (\d+): /.exec(line)?.slice(1).join(':'))).toEqual([
      '1:1',
      '2:18',
      '2:29',
      '3:10',
      '4:19',
      '4:40',
      '5:8',
    ])
  })
})

function messageOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('Nothing was thrown.')
}
