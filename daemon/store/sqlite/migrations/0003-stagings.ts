/**
 * Stagings and their launches. They refer to packages and stagers by UUID and name, without a foreign key, because they
 * are kept longer than those.
 *
 * The unique indexes enforce that a package is in one staging at a time, and that a staging has one open launch at a time.
 */
export const SQL = `
CREATE TABLE stagings (
  sequence             INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid                 TEXT NOT NULL UNIQUE,
  state                TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  package              TEXT NOT NULL,
  package_fqn          TEXT NOT NULL,
  package_state_before TEXT NOT NULL CHECK (package_state_before IN ('uploaded', 'ready', 'failed')),
  pipeline_fqn         TEXT NOT NULL,
  stagers              TEXT NOT NULL CHECK (json_array_length(stagers) > 0),
  step                 INTEGER NOT NULL DEFAULT 0 CHECK (step >= 0 AND step < json_array_length(stagers)),
  relaunches           INTEGER NOT NULL DEFAULT 0,
  interruptions        INTEGER NOT NULL DEFAULT 0,
  cancel_requested     INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
  work                 TEXT NOT NULL CHECK (json_valid(work)),
  failure              TEXT CHECK (failure IS NULL OR json_valid(failure)),
  submitted_at         TEXT NOT NULL,
  started_at           TEXT,
  ended_at             TEXT,
  CHECK ((state = 'failed') = (failure IS NOT NULL)),
  CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
  CHECK (state <> 'running' OR started_at IS NOT NULL)
) STRICT;
CREATE INDEX stagings_by_state ON stagings (state, sequence);
CREATE INDEX stagings_by_package ON stagings (package, sequence);
CREATE UNIQUE INDEX one_staging_for_a_package ON stagings (package) WHERE state IN ('queued', 'running');

CREATE TABLE launches (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       TEXT NOT NULL UNIQUE,
  staging    INTEGER NOT NULL REFERENCES stagings (sequence) ON DELETE CASCADE,
  stager_fqn TEXT NOT NULL,
  step       INTEGER NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('starting', 'running', 'done', 'failed', 'relaunched', 'aborted')),
  exit_code  INTEGER,
  started_at TEXT NOT NULL,
  ended_at   TEXT,
  CHECK ((state IN ('starting', 'running')) = (ended_at IS NULL))
) STRICT;
CREATE INDEX launches_by_staging ON launches (staging, sequence);
CREATE UNIQUE INDEX one_open_launch_for_a_staging ON launches (staging) WHERE state IN ('starting', 'running');
`
