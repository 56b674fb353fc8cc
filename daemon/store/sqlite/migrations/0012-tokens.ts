/**
 * Tokens of the control API. `hash` is the SHA-256 of a token; the token itself is not stored. The indexes answer whose
 * data a digest is.
 */
export const SQL = `
CREATE TABLE tokens (
  uuid       TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  hash       TEXT NOT NULL UNIQUE,
  access     TEXT NOT NULL,
  namespaces TEXT NOT NULL CHECK (json_valid(namespaces)),
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX packages_by_data ON packages (json_extract(resource, '$.sha256'));
CREATE INDEX package_result_data_by_data ON package_result_data (sha256);
CREATE INDEX stagings_by_source ON stagings (json_extract(source, '$.resource.sha256')) WHERE source IS NOT NULL;
`
