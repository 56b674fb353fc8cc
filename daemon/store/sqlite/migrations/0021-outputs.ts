/**
 * The data that stagers have left which were not the last of their staging, newest last, and what a staging has taken over
 * from an earlier one. Whether a staging began with a blob is asked whenever data of a stager are replaced.
 */
export const SQL = `
ALTER TABLE stagings ADD COLUMN taken_over TEXT CHECK (taken_over IS NULL OR json_valid(taken_over));

CREATE TABLE package_outputs (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  package  INTEGER NOT NULL REFERENCES packages (import_order) ON DELETE CASCADE,
  sha256   TEXT NOT NULL,
  length   INTEGER NOT NULL,
  UNIQUE (package, sha256)
) STRICT;
CREATE INDEX package_outputs_by_data ON package_outputs (sha256);

CREATE INDEX stagings_by_input ON stagings (json_extract(input, '$.resource.sha256')) WHERE input IS NOT NULL;
`
