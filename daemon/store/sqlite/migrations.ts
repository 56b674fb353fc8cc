import { SQL as packages } from './migrations/0001-packages.js'
import { SQL as stagers } from './migrations/0002-stagers.js'
import { SQL as stagings } from './migrations/0003-stagings.js'
import { SQL as packageDescriptions } from './migrations/0004-package-descriptions.js'
import { SQL as policies } from './migrations/0005-policies.js'
import { SQL as stagingSources } from './migrations/0006-staging-sources.js'
import { SQL as pipelineSigns } from './migrations/0007-pipeline-signs.js'
import { SQL as bootstrap } from './migrations/0008-bootstrap.js'
import { SQL as manifests } from './migrations/0009-manifests.js'
import { SQL as results } from './migrations/0010-results.js'
import { SQL as keepFailed } from './migrations/0011-keep-failed.js'
import { SQL as tokens } from './migrations/0012-tokens.js'
import { SQL as cleanEnvironments } from './migrations/0013-clean-environments.js'
import { SQL as secrets } from './migrations/0014-secrets.js'
import { SQL as webhooks } from './migrations/0015-webhooks.js'
import { SQL as callWebhooks } from './migrations/0016-call-webhooks.js'
import { SQL as verifications } from './migrations/0017-verifications.js'
import { SQL as expectedDependencies } from './migrations/0018-expected-dependencies.js'
import { SQL as cloudFoundryTasks } from './migrations/0019-cloud-foundry-tasks.js'
import { SQL as awaitedSources } from './migrations/0020-awaited-sources.js'
import { SQL as outputs } from './migrations/0021-outputs.js'
import { SQL as terms } from './migrations/0022-terms.js'
import { SQL as verificationsOfNodes } from './migrations/0023-verifications-of-nodes.js'
import { SQL as identity } from './migrations/0024-identity.js'
import { SQL as duties } from './migrations/0025-duties.js'
import { SQL as lanes } from './migrations/0026-lanes.js'
import { SQL as nodeAddresses } from './migrations/0027-node-addresses.js'
import { SQL as termsOfTasks } from './migrations/0028-terms-of-tasks.js'
import { SQL as logWriters } from './migrations/0029-log-writers.js'

export interface Migration {
  /** From 1, in ascending order. */
  readonly version: number
  readonly name: string
  readonly sql: string
}

/** In order. A released migration is never edited; the next one corrects it. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'packages', sql: packages },
  { version: 2, name: 'stagers', sql: stagers },
  { version: 3, name: 'stagings', sql: stagings },
  { version: 4, name: 'package-descriptions', sql: packageDescriptions },
  { version: 5, name: 'policies', sql: policies },
  { version: 6, name: 'staging-sources', sql: stagingSources },
  { version: 7, name: 'pipeline-signs', sql: pipelineSigns },
  { version: 8, name: 'bootstrap', sql: bootstrap },
  { version: 9, name: 'manifests', sql: manifests },
  { version: 10, name: 'results', sql: results },
  { version: 11, name: 'keep-failed', sql: keepFailed },
  { version: 12, name: 'tokens', sql: tokens },
  { version: 13, name: 'clean-environments', sql: cleanEnvironments },
  { version: 14, name: 'secrets', sql: secrets },
  { version: 15, name: 'webhooks', sql: webhooks },
  { version: 16, name: 'call-webhooks', sql: callWebhooks },
  { version: 17, name: 'verifications', sql: verifications },
  { version: 18, name: 'expected-dependencies', sql: expectedDependencies },
  { version: 19, name: 'cloud-foundry-tasks', sql: cloudFoundryTasks },
  { version: 20, name: 'awaited-sources', sql: awaitedSources },
  { version: 21, name: 'outputs', sql: outputs },
  { version: 22, name: 'terms', sql: terms },
  { version: 23, name: 'verifications-of-nodes', sql: verificationsOfNodes },
  { version: 24, name: 'identity', sql: identity },
  { version: 25, name: 'duties', sql: duties },
  { version: 26, name: 'lanes', sql: lanes },
  { version: 27, name: 'node-addresses', sql: nodeAddresses },
  { version: 28, name: 'terms-of-tasks', sql: termsOfTasks },
  { version: 29, name: 'log-writers', sql: logWriters },
]
