/** UID and GID of `runner`, the user that stagers and applications run as. */
export const RUNNER = 99
