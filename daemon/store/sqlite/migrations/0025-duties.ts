/** Which term has a duty (daemon/store/duties.ts). Forgotten with the node; of no effect once the term has ended. */
export const SQL = `
CREATE TABLE duties (
  name TEXT PRIMARY KEY,
  term INTEGER NOT NULL REFERENCES terms (number) ON DELETE CASCADE
) STRICT;
`
