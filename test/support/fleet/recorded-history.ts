import pg from 'pg'
import type { LaunchState, StagingState } from '../../../daemon/model/staging.js'
import type { PostgresOptions } from '../../../daemon/store/postgres/database.js'

/**
 * Each change of a row of these tables, as the database commits it: written by triggers, so that it does not depend on what the nodes
 * believe that they have done.
 */
const TABLES = ['terms', 'stagings', 'launches']

/** The order of commits is that of their times only if the server has `track_commit_timestamp`. */
const RECORDER = `
CREATE TABLE recorded (
  id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source TEXT NOT NULL,
  writer TEXT NOT NULL,
  before JSONB,
  after  JSONB NOT NULL
);
CREATE FUNCTION record_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO recorded (source, writer, before, after)
  VALUES (TG_TABLE_NAME, session_user, CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END, to_jsonb(NEW));
  RETURN NULL;
END $$;
${TABLES.map((table) => `CREATE TRIGGER recorded AFTER INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION record_change();`).join('\n')}
INSERT INTO recorded (source, writer, after)
SELECT 'terms', nodes.name, to_jsonb(terms) FROM terms JOIN nodes ON nodes.uuid = terms.node ORDER BY number`

export interface TermRow {
  readonly number: number
  readonly ended_at: string | null
}

export interface StagingRow {
  readonly sequence: number
  readonly uuid: string
  readonly state: StagingState
  readonly term: number | null
  readonly step: number
  readonly relaunches: number
}

export interface LaunchRow {
  readonly uuid: string
  /** Its sequence. */
  readonly staging: number
  readonly state: LaunchState
}

export interface Written<Row, Source extends string = string> {
  readonly source: Source
  /** The node that has made the change: each has a role of its own in the database, of the same name. */
  readonly writer: string
  /** Null for a row that is new. */
  readonly before: Row | null
  readonly after: Row
}

export type Change = Written<TermRow, 'terms'> | Written<StagingRow, 'stagings'> | Written<LaunchRow, 'launches'>

/** To be called when a node has made the tables. The first changes are the terms that have begun before. */
export async function record(connection: PostgresOptions): Promise<void> {
  await query(connection, RECORDER)
}

/** All changes since `record`, in the order of their commits. */
export async function recorded(connection: PostgresOptions): Promise<readonly Change[]> {
  return await query<Change>(
    connection,
    'SELECT source, writer, before, after FROM recorded ORDER BY pg_xact_commit_timestamp(xmin), id',
  )
}

/** Whether each staging has ended. It is asked again and again, and the whole history is long. */
export async function haveAllEnded(connection: PostgresOptions): Promise<boolean> {
  return (await query(connection, `SELECT FROM stagings WHERE state IN ('queued', 'running') LIMIT 1`)).length === 0
}

async function query<Row extends object>(connection: PostgresOptions, text: string): Promise<readonly Row[]> {
  const client = new pg.Client(connection)
  // It fails its query as well.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}
