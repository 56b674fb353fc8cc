/** Of nodes, and of stagers that need them: 1 to 63 letters, digits and . _ / = -, with a letter or digit at both ends. */
export const LABEL_PATTERN = '^[A-Za-z0-9](?:[A-Za-z0-9._/=-]{0,61}[A-Za-z0-9])?$'

/** How many labels a node or a stager has at most. */
export const MOST_LABELS = 32
