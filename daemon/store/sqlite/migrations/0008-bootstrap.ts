/**
 * `recipe` is the digest of what a package was made from, where the daemon has made it. `bootstraps` has one row for each
 * time that the node was furnished: its document is what users see.
 */
export const SQL = `
ALTER TABLE packages ADD COLUMN recipe TEXT;
CREATE TABLE bootstraps (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  document TEXT NOT NULL CHECK (json_valid(document))
) STRICT;
`
