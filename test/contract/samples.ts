import { randomUUID } from 'node:crypto'
import type { Resource } from '../../daemon/packages/package.js'
import type { PackageDraft, StagerDraft } from '../../daemon/store/repositories.js'
import type { StagerSnapshot } from '../../daemon/model/staging.js'

export const resource = (changes: Partial<Resource> = {}): Resource => ({
  uuid: randomUUID(),
  sha256: 'a'.repeat(64),
  sha1: undefined,
  length: 1234,
  compression: 'gzip',
  removals: [],
  ...changes,
})

export const packageDraft = (name: string, changes: Partial<PackageDraft> = {}): PackageDraft => ({
  namespace: '/acme',
  name,
  dependencies: [],
  provides: [],
  environment: {},
  templates: [],
  ...changes,
})

export const stagerDraft = (name: string, packageUuid: string, changes: Partial<StagerDraft> = {}): StagerDraft => ({
  namespace: '/acme',
  name,
  packageUuid,
  startCommand: './stager',
  additive: false,
  egress: false,
  user: 'runner',
  limits: { memoryBytes: 2 ** 28, cpus: 1.5, pids: 100, diskBytes: 2 ** 30, timeoutMs: 600_000 },
  dependencies: [{ type: 'os', name: 'linux' }],
  environment: { A: 'b' },
  ...changes,
})

export const stagerSnapshot = (name: string, packageUuid: string = randomUUID()): StagerSnapshot => ({
  uuid: randomUUID(),
  ...stagerDraft(name, packageUuid),
})
