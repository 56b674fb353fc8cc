/** Where other nodes pass requests on to a node. See docs/decisions/0102-one-way-in.md. */
export const SQL = `
ALTER TABLE nodes ADD COLUMN node_address TEXT;
`
