/**
 * Nodes, their terms, and which term owns a running staging: see docs/decisions/0095-terms.md. A staging keeps the number of
 * the term that has ended it, also when that node is forgotten.
 *
 * The lease is not in the row of the term: every transition reads that row, and must not conflict with renewals.
 */
export const SQL = `
CREATE TABLE nodes (
  uuid          TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  labels        TEXT NOT NULL CHECK (json_valid(labels)),
  address       TEXT,
  state         TEXT NOT NULL CHECK (state IN ('active', 'draining')),
  first_seen_at TEXT NOT NULL,
  last_seen_at  TEXT NOT NULL,
  leased_until  TEXT
) STRICT;

CREATE TABLE terms (
  number    INTEGER PRIMARY KEY AUTOINCREMENT,
  node      TEXT NOT NULL REFERENCES nodes (uuid) ON DELETE CASCADE,
  opened_at TEXT NOT NULL,
  ended_at  TEXT
) STRICT;
CREATE INDEX terms_by_node ON terms (node);
CREATE UNIQUE INDEX one_open_term_for_a_node ON terms (node) WHERE ended_at IS NULL;

ALTER TABLE stagings ADD COLUMN term INTEGER;
ALTER TABLE stagings ADD COLUMN labels TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(labels));
CREATE INDEX running_stagings_by_term ON stagings (term, sequence) WHERE state = 'running';

ALTER TABLE stagers ADD COLUMN labels TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(labels));
`
