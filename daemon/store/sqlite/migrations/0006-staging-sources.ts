/**
 * What a staging was given instead of the package's own data, so that a retry begins with it again. While it is staged,
 * and if that fails, the package keeps what it had.
 */
export const SQL = `
ALTER TABLE stagings ADD COLUMN source TEXT CHECK (source IS NULL OR json_valid(source));
`
