import { randomUUID } from 'node:crypto'
import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { PolicyDocument, PolicyDraft, PolicyRepository, PolicyVersion, Ref } from '../repositories.js'
import type { StagerdDatabase } from './database.js'
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

export class SqlitePolicies implements PolicyRepository {
  readonly #database: StagerdDatabase
  /** Undefined after a change. This is the only connection, so every change goes through this class. */
  #current: readonly PolicyDocument[] | undefined

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  /** To be called when the tables have been replaced. */
  forget(): void {
    this.#current = undefined
  }

  create(draft: PolicyDraft): Promise<PolicyDocument> {
    return this.#change(() => {
      if (this.#find(draft))
        throw new Conflict(
          'policy-exists',
          `There is a ${formatFqn('policydoc', draft)} already: put a new version of it, or choose another name.`,
        )
      return this.#insert(draft)
    })
  }

  put(draft: PolicyDraft): Promise<PolicyDocument> {
    return this.#change(() => {
      const found = this.#find(draft)
      if (!found) return this.#insert(draft)
      if (found.text !== draft.text) this.#addVersion(found.uuid, found.version + 1, draft.text)
      return this.#get({ uuid: found.uuid })
    })
  }

  get(ref: Ref): Promise<PolicyDocument> {
    return this.#database.read(() => this.#get(ref))
  }

  versions(ref: Ref): Promise<readonly PolicyVersion[]> {
    return this.#database.read(() =>
      this.#database
        .statement<{ version: number; text: string; created_at: string }>(
          'SELECT version, text, created_at FROM policy_versions WHERE policy = ? ORDER BY version',
        )
        .all(this.#get(ref).uuid)
        .map(({ version, text, created_at }) => ({ version, text, createdAt: created_at })),
    )
  }

  list(filter: { readonly namespace?: string }): Promise<readonly PolicyDocument[]> {
    return this.#database.read(() => this.#list(filter.namespace ?? '/'))
  }

  current(): Promise<readonly PolicyDocument[]> {
    return this.#database.read(() => this.inForce())
  }

  /** As `current`, to be called inside a transaction. */
  inForce(): readonly PolicyDocument[] {
    return (this.#current ??= this.#list('/'))
  }

  delete(ref: Ref): Promise<void> {
    return this.#change(() => {
      this.#database.statement('DELETE FROM policies WHERE uuid = ?').run(this.#get(ref).uuid)
    })
  }

  #change<T>(work: () => T): Promise<T> {
    this.#current = undefined
    return this.#database.write(work)
  }

  #insert(draft: PolicyDraft): PolicyDocument {
    const uuid = randomUUID()
    this.#database
      .statement('INSERT INTO policies (uuid, namespace, name, created_at) VALUES (?, ?, ?, ?)')
      .run(uuid, draft.namespace, draft.name, new Date().toISOString())
    this.#addVersion(uuid, 1, draft.text)
    return this.#get({ uuid })
  }

  #addVersion(policy: string, version: number, text: string): void {
    this.#database
      .statement('INSERT INTO policy_versions (policy, version, text, created_at) VALUES (?, ?, ?, ?)')
      .run(policy, version, text, new Date().toISOString())
  }

  #list(namespace: string): readonly PolicyDocument[] {
    const { where, values } = whereNamespace(namespace)
    return this.#database
      .statement<PolicyRow>(`${SELECT} WHERE ${where} ORDER BY namespace, name`)
      .all(...values)
      .map(decode)
  }

  #find({ namespace, name }: { readonly namespace: string; readonly name: string }): PolicyDocument | undefined {
    return this.#select({ namespace, name })
  }

  #get(ref: Ref): PolicyDocument {
    const found = this.#select(ref)
    if (!found) throw notFound('policydoc', ref)
    return found
  }

  #select(ref: Ref): PolicyDocument | undefined {
    const { where, values } = whereRef(ref)
    const row = this.#database.statement<PolicyRow>(`${SELECT} WHERE ${where}`).get(...values)
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
