/** Requests of the older staging service of Cloud Foundry that have not been answered: see `TaskRepository`. */
export const SQL = `
CREATE TABLE cloud_foundry_tasks (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  request     BLOB NOT NULL,
  reply       TEXT,
  received_at TEXT NOT NULL,
  staging     TEXT,
  uploading   INTEGER NOT NULL DEFAULT 0 CHECK (uploading IN (0, 1)),
  log         TEXT NOT NULL DEFAULT '',
  answer      TEXT
) STRICT;
`
