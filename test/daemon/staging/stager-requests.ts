import { createHash } from 'node:crypto'
import { call } from '../../support/staging-harness.js'
import type { FakeContext } from '../../support/fake-isolation.js'

/** Requests of fake stagers. */

export const done = ({ url }: FakeContext) => call(url, 'POST /done').then(() => undefined)

export const upload = (url: string, data: string) =>
  call(url, `POST /data?sha256=${createHash('sha256').update(data).digest('hex')}`, data)

export const setEnvironment = (url: string, key: string, value: string) =>
  call(url, 'PUT /meta', new URLSearchParams({ resource: 'environment', action: 'add', key, value }))

export const addDependency = (url: string, type: string, name: string) =>
  call(url, 'PUT /meta', new URLSearchParams({ resource: 'dependencies', action: 'add', type, name }))
