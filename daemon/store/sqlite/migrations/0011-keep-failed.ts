/** How long the container of a failed launch is kept, in milliseconds. */
export const SQL = `
ALTER TABLE stagings ADD COLUMN keep_failed_ms INTEGER CHECK (keep_failed_ms > 0);
`
