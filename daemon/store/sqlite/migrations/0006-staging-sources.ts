/**
 * The input of a staging that replaces the package's own data. A retry uses it again. The package keeps its own data
 * unless the staging succeeds.
 */
export const SQL = `
ALTER TABLE stagings ADD COLUMN source TEXT CHECK (source IS NULL OR json_valid(source));
`
