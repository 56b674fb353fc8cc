/** What packages are expected to get from a stager: an array of capabilities. */
export const SQL = `
ALTER TABLE stagers ADD COLUMN expects TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(expects));
`
