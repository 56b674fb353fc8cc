/**
 * Packages, and what they provide and depend on. JSON holds what is only ever read with its row; what is searched for
 * has columns.
 *
 * `revision` grows with every change of a row, and `package_changes` counts them and the deletions: so that a reader
 * who keeps a copy of them all can ask for what is new.
 */
export const SQL = `
CREATE TABLE packages (
  import_order INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid         TEXT NOT NULL UNIQUE,
  namespace    TEXT NOT NULL,
  name         TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('created', 'uploaded', 'staging', 'ready', 'failed')),
  resource     TEXT CHECK (resource IS NULL OR json_valid(resource)),
  environment  TEXT NOT NULL CHECK (json_valid(environment)),
  templates    TEXT NOT NULL CHECK (json_valid(templates)),
  created_at   TEXT NOT NULL,
  updated_at   TEXT NOT NULL,
  revision     INTEGER NOT NULL,
  UNIQUE (namespace, name),
  CHECK ((state = 'created') = (resource IS NULL))
) STRICT;
CREATE INDEX packages_by_revision ON packages (revision);

CREATE TABLE package_changes (
  only      INTEGER PRIMARY KEY CHECK (only = 1),
  revision  INTEGER NOT NULL,
  deletions INTEGER NOT NULL
) STRICT;
INSERT INTO package_changes VALUES (1, 0, 0);

CREATE TABLE package_provides (
  package  INTEGER NOT NULL REFERENCES packages (import_order) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  type     TEXT NOT NULL CHECK (type IN ('os', 'runtime', 'file', 'package')),
  name     TEXT NOT NULL,
  PRIMARY KEY (package, position),
  UNIQUE (package, type, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX package_provides_by_name ON package_provides (name, type, package);
CREATE INDEX package_provides_by_type ON package_provides (type, package);

CREATE TABLE package_dependencies (
  package  INTEGER NOT NULL REFERENCES packages (import_order) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  type     TEXT NOT NULL CHECK (type IN ('os', 'runtime', 'file', 'package')),
  name     TEXT NOT NULL,
  PRIMARY KEY (package, position),
  UNIQUE (package, type, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX package_dependencies_by_name ON package_dependencies (name, type, package);
`
