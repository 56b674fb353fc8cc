/** Patterns of names at the top of a source for which a pipeline is meant. */
export const SQL = `
ALTER TABLE pipelines ADD COLUMN signs TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(signs));
`
