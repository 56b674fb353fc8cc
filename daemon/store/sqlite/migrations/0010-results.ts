/**
 * What stagings have left in their packages. `number` counts within a package and is given once. `content` is the state of
 * the package, `making` what it was made from; `package_result_data` has the blobs of both, for quotas and garbage
 * collection.
 *
 * Launches record what they were given, and the working copy after their verdict: the parts of `making`.
 */
export const SQL = `
ALTER TABLE stagers ADD COLUMN reproducible INTEGER NOT NULL DEFAULT 0 CHECK (reproducible IN (0, 1));
ALTER TABLE stagings ADD COLUMN input TEXT CHECK (input IS NULL OR json_valid(input));
ALTER TABLE stagings ADD COLUMN reuse INTEGER NOT NULL DEFAULT 1 CHECK (reuse IN (0, 1));
ALTER TABLE stagings ADD COLUMN reused TEXT;
ALTER TABLE launches ADD COLUMN given TEXT;
ALTER TABLE launches ADD COLUMN work TEXT CHECK (work IS NULL OR json_valid(work));
ALTER TABLE packages ADD COLUMN results INTEGER NOT NULL DEFAULT 0;

CREATE TABLE package_results (
  package    INTEGER NOT NULL REFERENCES packages (import_order) ON DELETE CASCADE,
  number     INTEGER NOT NULL,
  origin     TEXT NOT NULL CHECK (json_valid(origin)),
  content    TEXT NOT NULL CHECK (json_valid(content)),
  making     TEXT CHECK (making IS NULL OR json_valid(making)),
  created_at TEXT NOT NULL,
  PRIMARY KEY (package, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX package_results_by_age ON package_results (created_at);

CREATE TABLE package_result_data (
  package INTEGER NOT NULL,
  number  INTEGER NOT NULL,
  sha256  TEXT NOT NULL,
  length  INTEGER NOT NULL,
  PRIMARY KEY (package, number, sha256),
  FOREIGN KEY (package, number) REFERENCES package_results (package, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
`
