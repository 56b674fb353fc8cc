/**
 * Which term of a node has a staging request of Cloud Foundry, and how many stagings a node runs at once: see
 * docs/decisions/0103-requests-of-a-fleet.md.
 */
export const SQL = `
ALTER TABLE cloud_foundry_tasks ADD COLUMN term INTEGER;
ALTER TABLE nodes ADD COLUMN concurrency INTEGER NOT NULL DEFAULT 1;
`
