/**
 * The names of the secrets that a stager takes, and that a staging was given; their values are sealed. Those of a staging go
 * in the transaction that ends it, whichever that is.
 */
export const SQL = `
ALTER TABLE stagers ADD COLUMN secrets TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(secrets));
ALTER TABLE stagings ADD COLUMN secrets TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(secrets));

CREATE TABLE staging_secrets (
  staging INTEGER PRIMARY KEY REFERENCES stagings (sequence) ON DELETE CASCADE,
  sealed  BLOB NOT NULL
) STRICT;

CREATE TABLE stager_secrets (
  stager     TEXT NOT NULL REFERENCES stagers (uuid) ON DELETE CASCADE,
  name       TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (stager, name)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER staging_secrets_end AFTER UPDATE OF state ON stagings
WHEN NEW.state IN ('succeeded', 'failed', 'cancelled')
BEGIN
  DELETE FROM staging_secrets WHERE staging = NEW.sequence;
END;
`
