import type { Kind, Reach, Sent } from './reach.js'

const path = (list: string, ref: string, rest = '') => `/v1/${list}/${encodeURIComponent(ref)}${rest}`
const query = (url: string, values: Readonly<Record<string, string>>) =>
  `${url}?${new URLSearchParams(values).toString()}`

/** A reference in the path of a request. */
const at =
  (kind: Kind, list: string) =>
  (what: string, method: Sent['method'], rest = '', body?: unknown): Reach => ({
    what,
    kind,
    ask: (theirs) => ({ method, url: path(list, theirs, rest), ...(body === undefined ? {} : { body }) }),
  })

const ofPackage = at('package', 'packages')
const ofStager = at('job', 'stagers')
const ofPipeline = at('stagpipe', 'stagingpipelines')
const ofStaging = at('staging', 'stagings')

const reach = (what: string, kind: Kind, ask: Reach['ask']): Reach => ({ what, kind, ask })

const PACKAGES: readonly Reach[] = [
  ofPackage('shows a package', 'GET'),
  ofPackage('downloads a package', 'GET', '/data'),
  ofPackage('lists results', 'GET', '/results'),
  ofPackage('compares results', 'GET', '/diff?from=1'),
  ofPackage('asks what an upload lacks', 'POST', '/source/lacking', { segments: ['0'.repeat(64)] }),
  ofPackage('uploads a source by what it has', 'POST', '/source', Buffer.from('have nothing\n')),
  ofPackage('changes a package', 'PATCH', '', { environment_set: { EVIL: 'yes' } }),
  ofPackage('renames a package', 'PATCH', '', { name: 'taken' }),
  ofPackage('rolls a package back', 'POST', '/rollback', { result: 1 }),
  reach('gives a package other data', 'package', (theirs, { data }) => ({
    method: 'PUT',
    url: path('packages', theirs, '/resource'),
    body: { resource: data },
  })),
  reach('moves a package over one', 'package', (theirs, own) => ({
    method: 'PUT',
    url: path('packages', theirs, '/content'),
    body: { from: own.package },
  })),
  reach('takes the content of a package', 'package', (theirs, own) => ({
    method: 'PUT',
    url: path('packages', own.package, '/content'),
    body: { from: theirs },
  })),
  reach('makes a stager of a package', 'package', (theirs, { namespace, name }) => ({
    method: 'POST',
    url: '/v1/stagers',
    body: { namespace, name: name(), package: theirs, start_command: './stage' },
  })),
  reach('gives a stager a package', 'package', (theirs, own) => ({
    method: 'PATCH',
    url: path('stagers', own.stager),
    body: { package: theirs },
  })),
  reach('stages a package', 'package', (theirs, { pipeline }) => ({
    method: 'POST',
    url: '/v1/stagings',
    body: { package: theirs, pipeline },
  })),
  reach('stages other data for a package', 'package', (theirs, { pipeline, data }) => ({
    method: 'POST',
    url: '/v1/stagings',
    body: { package: theirs, pipeline, source: { resource: data } },
  })),
  reach('runs a package', 'package', (theirs) => ({
    method: 'POST',
    url: '/v1/runs',
    body: { package: theirs, command: './serve' },
  })),
  reach('exports a package', 'package', (theirs) => ({
    method: 'GET',
    url: query('/v1/exchange', { package: theirs }),
  })),
  reach('exports a package beside its own', 'package', (theirs, own) => ({
    method: 'GET',
    url: `${query('/v1/exchange', { package: own.package })}&package=${encodeURIComponent(theirs)}`,
  })),
  reach('resolves a package', 'package', (theirs) => ({
    method: 'POST',
    url: '/v1/packages/resolution',
    body: { package: theirs },
  })),
  reach('resolves a package for its own namespace', 'package', (theirs, { namespace }) => ({
    method: 'POST',
    url: '/v1/packages/resolution',
    body: { package: theirs, namespace },
  })),
  reach('lists the stagings of a package', 'package', (theirs) => ({
    method: 'GET',
    url: query('/v1/stagings', { package: theirs }),
  })),
  reach('lists the caches of a package', 'package', (theirs) => ({
    method: 'GET',
    url: query('/v1/stager-caches', { package: theirs }),
  })),
  reach('empties the caches of a package', 'package', (theirs) => ({
    method: 'DELETE',
    url: query('/v1/stager-caches', { package: theirs }),
  })),
  reach('empties them by its own namespace', 'package', (theirs, { namespace }) => ({
    method: 'DELETE',
    url: query('/v1/stager-caches', { package: theirs, namespace }),
  })),
  ofPackage('deletes a package', 'DELETE'),
]

const STAGERS: readonly Reach[] = [
  ofStager('shows a stager', 'GET'),
  ofStager('lists the secrets of a stager', 'GET', '/secrets'),
  ofStager('sets a secret of a stager', 'PUT', '/secrets/TOKEN', { value: 'ZXZpbA==' }),
  ofStager('removes a secret of a stager', 'DELETE', '/secrets/TOKEN'),
  ofStager('changes a stager', 'PATCH', '', { start_command: './evil' }),
  reach('makes a pipeline of a stager', 'job', (theirs, { namespace, name }) => ({
    method: 'POST',
    url: '/v1/stagingpipelines',
    body: { namespace, name: name(), stagers: [theirs] },
  })),
  reach('makes a pipeline of its own and of a stager', 'job', (theirs, { namespace, name, stager }) => ({
    method: 'POST',
    url: '/v1/stagingpipelines',
    body: { namespace, name: name(), stagers: [stager, theirs] },
  })),
  ...(['append', 'prepend'] as const).map((where) =>
    reach(`adds a stager to its pipeline (${where})`, 'job', (theirs, { pipeline }) => ({
      method: 'PATCH',
      url: path('stagingpipelines', pipeline),
      body: { [where]: [theirs] },
    })),
  ),
  reach('lists the caches of a stager', 'job', (theirs) => ({
    method: 'GET',
    url: query('/v1/stager-caches', { stager: theirs }),
  })),
  reach('empties the caches of a stager', 'job', (theirs, own) => ({
    method: 'DELETE',
    url: query('/v1/stager-caches', { stager: theirs, package: own.package }),
  })),
  ofStager('deletes a stager', 'DELETE'),
]

const PIPELINES: readonly Reach[] = [
  ofPipeline('shows a pipeline', 'GET'),
  ofPipeline('changes a pipeline', 'PATCH', '', { signs_add: ['evil.txt'] }),
  reach('puts its own stager into a pipeline', 'stagpipe', (theirs, { stager }) => ({
    method: 'PATCH',
    url: path('stagingpipelines', theirs),
    body: { append: [stager] },
  })),
  reach('clones a pipeline', 'stagpipe', (theirs, { namespace, name }) => ({
    method: 'POST',
    url: '/v1/stagingpipelines',
    body: { namespace, name: name(), clone: theirs },
  })),
  reach('stages its own package by a pipeline', 'stagpipe', (theirs, own) => ({
    method: 'POST',
    url: '/v1/stagings',
    body: { package: own.package, pipeline: theirs },
  })),
  reach('exports a pipeline', 'stagpipe', (theirs) => ({
    method: 'GET',
    url: query('/v1/exchange', { pipeline: theirs }),
  })),
  reach('lists the stagings of a pipeline', 'stagpipe', (theirs) => ({
    method: 'GET',
    url: query('/v1/stagings', { pipeline: theirs }),
  })),
  ofPipeline('deletes a pipeline', 'DELETE'),
]

const STAGINGS: readonly Reach[] = [
  ofStaging('shows a staging', 'GET'),
  ofStaging('reads a log', 'GET', '/log?follow=false'),
  ofStaging('follows a log', 'GET', '/log'),
  ofStaging('opens a shell in a kept container', 'POST', '/shells', { command: ['cat', '/kept'] }),
  ofStaging('types into a shell', 'POST', '/shells/1/input', Buffer.from('exit 0\n')),
  ofStaging('resizes a shell', 'PUT', '/shells/1/size', { columns: 80, rows: 24 }),
  ofStaging('retries a staging', 'POST', '/retry'),
  ofStaging('cancels a staging', 'POST', '/cancel'),
  ofStaging('releases a kept container', 'POST', '/release'),
]

const OTHERS: readonly Reach[] = [
  at('run', 'runs')('types into a run', 'POST', '/input', Buffer.from('evil')),
  at('run', 'runs')('stops a run', 'POST', '/stop'),
  at('webhook', 'webhooks')('tests a webhook', 'POST', '/test'),
  at('webhook', 'webhooks')('deletes a webhook', 'DELETE'),
  at('resource', 'resources')('looks for data', 'GET'),
  reach('makes a package of data', 'resource', (theirs, { namespace, name }) => ({
    method: 'POST',
    url: '/v1/packages',
    body: { namespace, name: name(), resource: theirs },
  })),
  reach('makes a package of data in capitals', 'resource', (theirs, { namespace, name }) => ({
    method: 'POST',
    url: '/v1/packages',
    body: { namespace, name: name(), resource: theirs.toUpperCase() },
  })),
  reach('gives its package data', 'resource', (theirs, own) => ({
    method: 'PUT',
    url: path('packages', own.package, '/resource'),
    body: { resource: theirs },
  })),
  reach('stages data', 'resource', (theirs, own) => ({
    method: 'POST',
    url: '/v1/stagings',
    body: { package: own.package, pipeline: own.pipeline, source: { resource: theirs } },
  })),
]

const NAMESPACES: readonly Reach[] = [
  reach('puts a package into a namespace', 'namespace', (namespace, { name }) => ({
    method: 'POST',
    url: '/v1/packages',
    body: { namespace, name: name() },
  })),
  reach('puts a stager into a namespace', 'namespace', (namespace, own) => ({
    method: 'POST',
    url: '/v1/stagers',
    body: { namespace, name: own.name(), package: own.package, start_command: './stage' },
  })),
  reach('puts a pipeline into a namespace', 'namespace', (namespace, own) => ({
    method: 'POST',
    url: '/v1/stagingpipelines',
    body: { namespace, name: own.name(), stagers: [own.stager] },
  })),
  reach('is told of the stagings of a namespace', 'namespace', (namespace) => ({
    method: 'POST',
    url: '/v1/webhooks',
    body: { namespace, url: 'https://hooks.example.org/evil' },
  })),
  reach('uploads for a namespace', 'namespace', (namespace, { tarball }) => ({
    method: 'POST',
    url: query('/v1/resources', { namespace }),
    body: tarball,
  })),
  reach('imports into a namespace', 'namespace', (namespace, { exported }) => ({
    method: 'POST',
    url: query('/v1/exchange', { namespace, existing: 'override' }),
    body: exported,
  })),
  reach('imports a file without a manifest into a namespace', 'namespace', (namespace, { bare, name }) => ({
    method: 'POST',
    url: query('/v1/exchange', { name: `package::${namespace}::${name()}` }),
    body: bare,
  })),
  reach('resolves for a namespace', 'namespace', (namespace, own) => ({
    method: 'POST',
    url: '/v1/packages/resolution',
    body: { namespace, package: own.package },
  })),
  reach('empties the caches of a namespace', 'namespace', (namespace) => ({
    method: 'DELETE',
    url: query('/v1/stager-caches', { namespace }),
  })),
  ...['packages', 'stagers', 'stagingpipelines', 'stager-caches'].map((list) =>
    reach(`lists the ${list} of a namespace`, 'namespace', (namespace) => ({
      method: 'GET',
      url: query(`/v1/${list}`, { namespace }),
    })),
  ),
  reach('asks which pipelines of a namespace fit', 'namespace', (namespace) => ({
    method: 'POST',
    url: '/v1/detections',
    body: { namespace, names: ['package.json'] },
  })),
]

export const REACHES: readonly Reach[] = [...PACKAGES, ...STAGERS, ...PIPELINES, ...STAGINGS, ...OTHERS, ...NAMESPACES]
