import { parseBuildScript } from '../../../daemon/packages/build-script/parse-build-script.js'
import { printBuildScript } from '../../../daemon/packages/build-script/print-build-script.js'
import { parseManifest, parsePlacedManifest } from '../../../daemon/packages/manifest/parse-manifest.js'
import { parsePolicy } from '../../../daemon/packages/policy/parse-policy.js'
import { evaluateTemplate } from '../../../daemon/packages/template/evaluate-template.js'
import { parseTemplate } from '../../../daemon/packages/template/parse-template.js'
import { assertHolds, assertSame, type FuzzTarget } from '../fuzz-target.js'

const BUILD_SCRIPT = `# A build script.
name: "ruby"
namespace: "/apcera/pkg/runtimes"
version: "3.1.2"
sources [ { url: "https://example.com/a.tar.gz", sha256: "${'0'.repeat(64)}" }, ]
include_files [ "patch.diff" ]
build_depends [ { package: "build-essential" } ]
depends [ { os: "linux" }, { runtime: "x" } ]
provides [ { runtime: "ruby" }, { package: "ruby-3.1" } ]
environment { "PATH": "/opt/ruby/bin:$PATH", }
cleanup [ "/tmp/x" ]
snapshot_path: "/opt/ruby"
build (
  ./configure --prefix=/opt/ruby && make ) install
)
`
const DOCUMENT_TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '(',
  '\n)\n',
  ':',
  ',',
  '"',
  '\\"',
  '\\n',
  '\\u0000',
  '#',
  '//',
  '\r\n',
  '\ufeff',
]

const buildScript: FuzzTarget = {
  name: 'build-script',
  law: 'A script that is accepted is printed as one that says the same.',
  refusals: ['bad-syntax'],
  maxBytes: 64 * 1024,
  tokens: [
    ...DOCUMENT_TOKENS,
    ...['name: ', 'namespace: ', 'version: ', 'sources [', 'url: ', 'sha256: ', 'include_files [', 'depends [', 'os: '],
    ...['provides [', 'environment {', 'cleanup [', 'snapshot_path: ', 'image: ', 'build (', '"debian:12"', '../', '$'],
  ],
  seeds: [BUILD_SCRIPT, 'name: a\nimage: "debian:12"\n', 'name "x"\nbuild (\n)\n'],
  run: (bytes) => {
    const script = parseBuildScript(bytes.toString('utf8'))
    assertSame(parseBuildScript(printBuildScript(script)), script, 'the printed script')
    return script.image === undefined ? 'a build' : 'an image'
  },
}

const POLICY = `// Who may do what.
on job::/ {
  if (dependency equals runtime.ruby) { package.default "package::/apcera/pkg/runtimes::ruby-2.1.0" }
  { package.allow "package::/prod/pkg" } package.lock package::/::x role admin
}
package::/x::y { { permit create, read, update, delete } }
on quota::/ns { { total.package.size 500MB } package.size "1.5GB" running.stagings 4 }
job::/ { if (dependency == os.linux) if (dependency fqnMatch "os.linux") package.retire package::/::x }
`

const policy: FuzzTarget = {
  name: 'policy',
  law: 'A policy is understood or refused with a position in it.',
  refusals: ['bad-syntax'],
  maxBytes: 64 * 1024,
  tokens: [
    ...DOCUMENT_TOKENS,
    ...[
      'on ',
      'if ',
      'package::/',
      'job::/',
      'permit ',
      'role ',
      'equals',
      'dependency',
      'default',
      '::',
      '2GB',
      'quota',
    ],
  ],
  seeds: [POLICY],
  run: (bytes) => {
    const statements = parsePolicy(bytes.toString('utf8'))
    return `accepted: ${[...new Set(statements.map(({ claim }) => claim.kind))].sort().join(' ')}`
  },
}

const MANIFEST = `name: "shop"
namespace: "/dev/test"
staging_pipeline: "/apcera::ruby"
path: "app"
start_cmd: "bundle exec rackup config.ru -p $PORT"
package_dependencies [ "runtime.ruby-2.0.0", { os: "linux" } ]
env { "RAILS_ENV": "{{name}}", }
templates [ { path: "config/database.yml", left_delimiter: "<%", right_delimiter: "%>" } ]
resources { cpu: 500, memory: "512MB", disk_space: "1GB", network_bandwidth: "5Mbps" }
instances: 2
ports [ { number: 80, routes [ { type: "http", endpoint: "a.b", weight: 50 } ] } ]
services [ { provider_name: "p", type: "t", service_name: "s" } ]
tags { team: "shop" }
timeout: 30
ssh: true
`

const manifest: FuzzTarget = {
  name: 'manifest',
  law: 'Both readers of manifests say the same, and each place is in the text.',
  refusals: ['bad-syntax'],
  maxBytes: 64 * 1024,
  tokens: [
    ...DOCUMENT_TOKENS,
    ...MANIFEST.split('\n').map((line) => line.replace(/[:[{].*/, ': ')),
    ...['depends_on [', 'os.linux', 'true', 'false', '256MB', '1.5G', 'routes [', 'services ['],
  ],
  seeds: [MANIFEST],
  run: (bytes) => {
    const text = bytes.toString('utf8')
    const placed = parsePlacedManifest(text)
    assertSame(parseManifest(text), placed.manifest, 'the manifest')
    const lines = text.split('\n').length
    for (const { line } of Object.values(placed.places)) assertHolds(line >= 1 && line <= lines, `no line ${line}`)
    return `accepted: ${Object.keys(placed.manifest).sort().join(' ')}`
  },
}

const DATA = {
  ...{ uuid: '6b1f7a4e-0000-4000-8000-000000000001', name: 'shop', num_instances: 1, cpu: 500, memory: 2 ** 28 },
  ...{ disk: 2 ** 30, port: 8080, env: { B: 'two', A: 'one', EMPTY: '' }, tags: [{ Name: 'tier', Value: 'front' }] },
}

const template: FuzzTarget = {
  name: 'template',
  law: 'A template is filled in or refused, within its limits of steps and length.',
  refusals: ['bad-syntax'],
  maxBytes: 64 * 1024,
  tokens: [
    ...[
      '{{',
      '}}',
      '{{-',
      '-}}',
      '{{/*',
      '*/}}',
      '{{end}}',
      '{{else}}',
      'if ',
      'else if ',
      'range ',
      ':= ',
      '$x',
      '.Name',
    ],
    ...['env_map', 'env "A"', 'has_tag ', 'tags', 'bindings', 'routes', 'name', 'uuid', '`', '"', '\\u', '(', ')', ' '],
  ],
  seeds: [
    '{{range $k, $v := env_map}}{{$k}}={{$v}};{{else}}none{{end}} {{- name -}} {{/* c */}}{{-1}}',
    '{{if has_tag "tier"}}yes{{else if env "A"}}{{(env `B`)}}{{else}}no{{end}}{{$x := tags}}{{range $x}}{{.Name}}{{end}}',
  ],
  run: (bytes) => {
    const nodes = parseTemplate(bytes.toString('utf8'), { left: '{{', right: '}}' })
    evaluateTemplate(nodes, DATA)
    return `accepted: ${[...new Set(nodes.map(({ kind }) => kind))].sort().join(' ')}`
  },
}

export const DOCUMENTS: readonly FuzzTarget[] = [buildScript, policy, manifest, template]
