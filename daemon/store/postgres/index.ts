/** What the daemon needs of PostgreSQL. It is loaded only where the settings name one. */
export { connectionOf } from './connection.js'
export { PostgresStore } from './store.js'
