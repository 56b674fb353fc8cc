/**
 * When the content of blobs and layers was last verified.
 *
 * `damaged` is the state of the file that was found to be damaged; NULL if the content was sound. It belongs to the files
 * of this node, so that backups do not have it.
 */
export const SQL = `
CREATE TABLE verifications (
  kind        TEXT NOT NULL CHECK (kind IN ('blob', 'layer')),
  id          TEXT NOT NULL,
  verified_at TEXT NOT NULL,
  damaged     TEXT,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
`
