/**
 * In a database that several nodes share, each knows its own files. In SQLite there is one node, whose name is left empty: a
 * database that is copied to another host brings what it knows along, as before.
 */
export const SQL = `
CREATE TABLE verifications_of_nodes (
  node        TEXT NOT NULL,
  kind        TEXT NOT NULL CHECK (kind IN ('blob', 'layer')),
  id          TEXT NOT NULL,
  verified_at TEXT NOT NULL,
  damaged     TEXT,
  PRIMARY KEY (node, kind, id)
) STRICT, WITHOUT ROWID;
INSERT INTO verifications_of_nodes SELECT '', kind, id, verified_at, damaged FROM verifications;
DROP TABLE verifications;
ALTER TABLE verifications_of_nodes RENAME TO verifications;
`
