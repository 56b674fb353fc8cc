/**
 * How often a staging was taken up: the number of who writes its log, which no two nodes share. Before, the writers of a log counted
 * themselves, from 1: those of stagings that run now are below the ones that come. See docs/decisions/0104-writers-of-logs.md.
 */
export const SQL = `
ALTER TABLE stagings ADD COLUMN log_writer INTEGER NOT NULL DEFAULT 0;
UPDATE stagings SET log_writer = 100 WHERE state = 'running';
`
