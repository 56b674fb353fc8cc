/** Stagers and pipelines. The package of a stager, and a stager of a pipeline, cannot be deleted. */
export const SQL = `
CREATE TABLE stagers (
  uuid          TEXT PRIMARY KEY,
  namespace     TEXT NOT NULL,
  name          TEXT NOT NULL,
  package       TEXT NOT NULL REFERENCES packages (uuid) ON DELETE RESTRICT,
  start_command TEXT NOT NULL,
  additive      INTEGER NOT NULL CHECK (additive IN (0, 1)),
  egress        INTEGER NOT NULL CHECK (egress IN (0, 1)),
  user          TEXT NOT NULL,
  limits        TEXT NOT NULL CHECK (json_valid(limits)),
  dependencies  TEXT NOT NULL CHECK (json_valid(dependencies)),
  environment   TEXT NOT NULL CHECK (json_valid(environment)),
  created_at    TEXT NOT NULL,
  updated_at    TEXT NOT NULL,
  UNIQUE (namespace, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX stagers_by_package ON stagers (package);

CREATE TABLE pipelines (
  uuid       TEXT PRIMARY KEY,
  namespace  TEXT NOT NULL,
  name       TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE pipeline_stagers (
  pipeline TEXT NOT NULL REFERENCES pipelines (uuid) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  stager   TEXT NOT NULL REFERENCES stagers (uuid) ON DELETE RESTRICT,
  PRIMARY KEY (pipeline, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX pipeline_stagers_by_stager ON pipeline_stagers (stager);
`
