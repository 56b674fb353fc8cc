/** Policy documents. All versions of a document are kept until it is deleted. */
export const SQL = `
CREATE TABLE policies (
  uuid       TEXT PRIMARY KEY,
  namespace  TEXT NOT NULL,
  name       TEXT NOT NULL,
  created_at TEXT NOT NULL,
  UNIQUE (namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_versions (
  policy     TEXT NOT NULL REFERENCES policies (uuid) ON DELETE CASCADE,
  version    INTEGER NOT NULL CHECK (version > 0),
  text       TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (policy, version)
) STRICT, WITHOUT ROWID;
`
