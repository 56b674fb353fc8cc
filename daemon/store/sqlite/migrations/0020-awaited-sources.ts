/**
 * Stagings whose source is fetched first: those of the older staging service of Cloud Foundry. The staging of a task has the
 * task's id, so that it needs no column; the time limit of a task is counted from its first begin.
 */
export const SQL = `
ALTER TABLE stagings ADD COLUMN awaits_source INTEGER NOT NULL DEFAULT 0 CHECK (awaits_source IN (0, 1));
ALTER TABLE cloud_foundry_tasks DROP COLUMN staging;
ALTER TABLE cloud_foundry_tasks ADD COLUMN begun_at TEXT;
`
