/** What a package says of itself to people: a build script gives both, and nothing is decided by them. */
export const SQL = `
ALTER TABLE packages ADD COLUMN version TEXT;
ALTER TABLE packages ADD COLUMN description TEXT;
`
