import { expect, it } from 'vitest'
import type { SqlStore, StoreOptions } from '../../daemon/store/sql/store.js'
import { nodeLedgerOf } from '../support/fleet/node-ledger.js'
import { describeBackups } from './backups.js'
import { describeBootstraps } from './bootstraps.js'
import { describeSharedDuties } from './duties.js'
import { describeConcurrency } from './concurrency.js'
import { describeExchange } from './exchange.js'
import { describeLedger } from './ledger.js'
import { describeNamespaceQuota, type StoreUnderTest } from './namespace-quota.js'
import { describeReferences } from './references.js'
import { describeRepositories } from './repositories.js'
import { describeResourceOwners } from './resource-owners.js'
import { describeResults } from './results.js'
import { describeSecrets } from './secrets.js'
import { describeTasks } from './tasks.js'
import { describeTerms } from './terms.js'
import { describeTokens } from './tokens.js'
import { describeVerifications } from './verifications.js'
import { describeWakeups } from './wakeups.js'
import { describeWebhooks } from './webhooks.js'

export type MakeStore = (options?: StoreOptions) => Promise<StoreUnderTest>
type Suite = (name: string, make: MakeStore) => void

/** Suites that were written for repositories, and not for the store that has them. */
const repositories: Suite = (name, make) => describeRepositories(name, () => partsOf(make))
const ledger: Suite = (name, make) => describeLedger(name, () => partsOf(make))
const secrets: Suite = (name, make) => describeSecrets(name, () => partsOf(make))
/** Both nodes are this one; postgres.test.ts has two. */
const wakeups: Suite = (name, make) =>
  describeWakeups(name, async () => {
    const { store, close } = await make()
    return { nodes: [store.wakeups, store.wakeups], close }
  })

/** The repositories of a store; its methods are none, nor is what it says of itself. */
type Repository = {
  [Name in keyof SqlStore]: SqlStore[Name] extends ((...args: never) => unknown) | string | undefined ? never : Name
}[keyof SqlStore]

/** The contract of each repository. One that is added to the store and forgotten here does not compile. */
const CONTRACTS: Readonly<Record<Repository, readonly Suite[]>> = {
  packages: [repositories, describeNamespaceQuota],
  stagers: [repositories],
  pipelines: [repositories],
  policies: [repositories, describeConcurrency],
  ledger: [ledger],
  bootstraps: [describeBootstraps],
  exchange: [describeExchange, describeNamespaceQuota],
  references: [describeReferences],
  results: [describeResults],
  tokens: [describeTokens],
  resourceOwners: [describeResourceOwners],
  secrets: [secrets],
  tasks: [describeTasks],
  webhooks: [describeWebhooks],
  verifications: [describeVerifications],
  backups: [describeBackups],
  wakeups: [wakeups],
  nodes: [describeTerms, describeConcurrency],
}

/** The contracts of all repositories of a database. */
export function describeStore(database: string, make: MakeStore): void {
  const named = new Map<Suite, string>()
  for (const [repository, suites] of Object.entries(CONTRACTS))
    for (const suite of suites) named.set(suite, [named.get(suite), repository].filter(Boolean).join(', '))
  for (const [suite, name] of named) suite(`${name} in ${database}`, make)

  describeSharedDuties(`duties in ${database}`, make)

  it(`the identity of a database in ${database} stays the same`, async () => {
    const { store, close } = await make()
    const id = await store.id()
    expect(id).not.toBe('')
    expect(await store.id()).toBe(id)
    await close()
  })
}

async function partsOf(make: MakeStore) {
  const { store, close } = await make()
  const { packages, stagers, pipelines, policies, secrets: sealed } = store
  return { packages, stagers, pipelines, policies, ledger: await nodeLedgerOf(store), secrets: sealed, close }
}
