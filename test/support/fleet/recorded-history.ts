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
  before JSONB,
  after  JSONB NOT NULL
);
CREATE FUNCTION record_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO recorded (source, before, after)
  VALUES (TG_TABLE_NAME, CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END, to_jsonb(NEW));
  RETURN NULL;
END $$;
${TABLES.map((table) => `CREATE TRIGGER recorded AFTER INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION record_change();`).join('\n')}`

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

export type Change =
  | { readonly source: 'terms'; readonly before: TermRow | null; readonly after: TermRow }
  | { readonly source: 'stagings'; readonly before: StagingRow | null; readonly after: StagingRow }
  | { readonly source: 'launches'; readonly before: LaunchRow | null; readonly after: LaunchRow }

/** To be called when a node has made the tables. */
export async function record(connection: PostgresOptions): Promise<void> {
  await query(connection, RECORDER)
}

/** All changes since `record`, in the order of their commits. */
export async function recorded(connection: PostgresOptions): Promise<readonly Change[]> {
  return await query<Change>(
    connection,
    'SELECT source, before, after FROM recorded ORDER BY pg_xact_commit_timestamp(xmin), id',
  )
}

async function query<Row extends object>(connection: PostgresOptions, text: string): Promise<readonly Row[]> {
  const client = new pg.Client(connection)
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}
