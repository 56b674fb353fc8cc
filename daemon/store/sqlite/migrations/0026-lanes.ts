/**
 * Queued stagings by the labels that they need: an admission looks for the oldest that its node may run, however many there
 * are that it may not. See docs/decisions/0099-limits-and-lanes.md.
 */
export const SQL = `
CREATE INDEX queued_stagings_by_labels ON stagings (awaits_source, labels, sequence) WHERE state = 'queued';
`
