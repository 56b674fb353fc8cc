/**
 * Packages, and the capabilities that they provide and depend on. What is searched for has columns; what is only read
 * with its row is JSON.
 *
 * Every change of a row gives it a new `revision`. `package_changes` has the newest revision and the number of deletions,
 * so that a reader with a copy of all packages can ask for changes only.
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
