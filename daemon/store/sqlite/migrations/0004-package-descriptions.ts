/** Version and description of a package, for people only. Build scripts set them. */
export const SQL = `
ALTER TABLE packages ADD COLUMN version TEXT;
ALTER TABLE packages ADD COLUMN description TEXT;
`
