import { join } from 'node:path'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { describeLedger } from '../../contract/ledger.js'
import { describeRepositories } from '../../contract/repositories.js'
import { describeSecrets } from '../../contract/secrets.js'
import { temporaryDirectory } from './temporary-directory.js'

async function make() {
  const directory = await temporaryDirectory()
  const store = SqliteStore.open(join(directory.path, 'stagerd.db'))
  return {
    packages: store.packages,
    stagers: store.stagers,
    pipelines: store.pipelines,
    policies: store.policies,
    ledger: store.ledger,
    secrets: store.secrets,
    async close() {
      store.close()
      await directory.remove()
    },
  }
}

describeRepositories('the repositories in SQLite', make)
describeLedger('the ledger in SQLite', make)
describeSecrets('secrets in SQLite', make)
