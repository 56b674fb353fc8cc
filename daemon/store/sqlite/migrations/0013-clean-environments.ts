/** Whether a stager gets no variable of the package that it stages. */
export const SQL = `
ALTER TABLE stagers ADD COLUMN clean_environment INTEGER NOT NULL DEFAULT 0 CHECK (clean_environment IN (0, 1));
`
