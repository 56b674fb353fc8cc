import { randomUUID } from 'node:crypto'
import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { PolicyDocument, PolicyDraft, PolicyRepository, PolicyVersion, Ref } from '../repositories.js'
import type { Dialect } from './dialect.js'
import { sql, type Transactions, type Work } from './work.js'
import { notFound } from '../not-found.js'
import { whereNamespace, whereRef } from './references.js'

interface PolicyRow {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  readonly created_at: string
  readonly version: number
  readonly text: string
  readonly updated_at: string
}

/** Each document with its newest version. */
const SELECT = `SELECT policies.*, version, text, newest.created_at AS updated_at
FROM policies JOIN policy_versions AS newest ON newest.policy = policies.uuid
  AND version = (SELECT max(version) FROM policy_versions WHERE policy = policies.uuid)`

/** A text never changes, so that the versions say whether these are the newest. */
interface Current {
  readonly versions: string
  readonly documents: readonly PolicyDocument[]
}

export class SqlPolicies implements PolicyRepository {
  readonly #transactions: Transactions
  readonly #dialect: Pick<Dialect, 'isShared'>
  /** Undefined after a change that was made here. */
  #current: Current | undefined

  constructor(transactions: Transactions, dialect: Pick<Dialect, 'isShared'>) {
    this.#transactions = transactions
    this.#dialect = dialect
  }

  /** To be called when the tables have been replaced. */
  forget(): void {
    this.#current = undefined
  }

  create(draft: PolicyDraft): Promise<PolicyDocument> {
    return this.#change(function* () {
      if (yield* this.#find(draft))
        throw new Conflict(
          'policy-exists',
          `There is a ${formatFqn('policydoc', draft)} already: put a new version of it, or choose another name.`,
        )
      return yield* this.#insert(draft)
    })
  }

  put(draft: PolicyDraft): Promise<PolicyDocument> {
    return this.#change(function* () {
      const found = yield* this.#find(draft)
      if (!found) return yield* this.#insert(draft)
      if (found.text !== draft.text) yield* this.#addVersion(found.uuid, found.version + 1, draft.text)
      return yield* this.#get({ uuid: found.uuid })
    })
  }

  get(ref: Ref): Promise<PolicyDocument> {
    return this.#transactions.read(() => this.#get(ref))
  }

  versions(ref: Ref): Promise<readonly PolicyVersion[]> {
    return this.#transactions.read(function* () {
      const versions = yield* sql.all<{ version: number; text: string; created_at: string }>(
        'SELECT version, text, created_at FROM policy_versions WHERE policy = ? ORDER BY version',
        (yield* this.#get(ref)).uuid,
      )
      return versions.map(({ version, text, created_at }) => ({ version, text, createdAt: created_at }))
    }, this)
  }

  list(filter: { readonly namespace?: string }): Promise<readonly PolicyDocument[]> {
    return this.#transactions.read(() => this.#list(filter.namespace ?? '/'))
  }

  current(): Promise<readonly PolicyDocument[]> {
    return this.#transactions.read(() => this.inForce())
  }

  /** As `current`, to be called inside a transaction. */
  *inForce(): Work<readonly PolicyDocument[]> {
    if (this.#current && !this.#dialect.isShared) return this.#current.documents
    const rows = yield* sql.all<{ uuid: string; newest: number }>(
      `SELECT uuid, (SELECT max(version) FROM policy_versions WHERE policy = policies.uuid) AS newest FROM policies ORDER BY uuid`,
    )
    const versions = rows.map(({ uuid, newest }) => `${uuid} ${newest}`).join()
    if (versions === this.#current?.versions) return this.#current.documents
    const documents = yield* this.#list('/')
    this.#current = { versions, documents }
    return documents
  }

  delete(ref: Ref): Promise<void> {
    return this.#change(function* () {
      yield* sql.run('DELETE FROM policies WHERE uuid = ?', (yield* this.#get(ref)).uuid)
    })
  }

  #change<T>(work: (this: this) => Work<T>): Promise<T> {
    this.#current = undefined
    return this.#transactions.write(work, this)
  }

  *#insert(draft: PolicyDraft): Work<PolicyDocument> {
    const uuid = randomUUID()
    yield* sql.run(
      'INSERT INTO policies (uuid, namespace, name, created_at) VALUES (?, ?, ?, ?)',
      uuid,
      draft.namespace,
      draft.name,
      new Date().toISOString(),
    )
    yield* this.#addVersion(uuid, 1, draft.text)
    return yield* this.#get({ uuid })
  }

  *#addVersion(policy: string, version: number, text: string): Work<void> {
    yield* sql.run(
      'INSERT INTO policy_versions (policy, version, text, created_at) VALUES (?, ?, ?, ?)',
      policy,
      version,
      text,
      new Date().toISOString(),
    )
  }

  *#list(namespace: string): Work<readonly PolicyDocument[]> {
    const { where, values } = whereNamespace(namespace)
    return (yield* sql.all<PolicyRow>(`${SELECT} WHERE ${where} ORDER BY namespace, name`, ...values)).map(decode)
  }

  *#find({ namespace, name }: { readonly namespace: string; readonly name: string }): Work<PolicyDocument | undefined> {
    return yield* this.#select({ namespace, name })
  }

  *#get(ref: Ref): Work<PolicyDocument> {
    const found = yield* this.#select(ref)
    if (!found) throw notFound('policydoc', ref)
    return found
  }

  *#select(ref: Ref): Work<PolicyDocument | undefined> {
    const { where, values } = whereRef(ref)
    const row = yield* sql.one<PolicyRow>(`${SELECT} WHERE ${where}`, ...values)
    return row && decode(row)
  }
}

function decode(row: PolicyRow): PolicyDocument {
  return {
    uuid: row.uuid,
    namespace: row.namespace,
    name: row.name,
    version: row.version,
    text: row.text,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
