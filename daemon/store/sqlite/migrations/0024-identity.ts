/** Tells this database from others that use the same object store. */
export const SQL = `
CREATE TABLE identity (
  id TEXT PRIMARY KEY
);
`
