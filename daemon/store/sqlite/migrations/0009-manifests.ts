/** The manifest that a package was staged with. Runs take their limits from it, and jobs the rest. */
export const SQL = `
ALTER TABLE packages ADD COLUMN manifest TEXT CHECK (manifest IS NULL OR json_valid(manifest));
`
