/**
 * Webhooks, and the deliveries that wait for them.
 *
 * The trigger records the deliveries in the transaction that ends a staging, however it ends. Full names of packages are
 * `package::/namespace::name`.
 */
export const SQL = `
CREATE TABLE webhooks (
  uuid       TEXT PRIMARY KEY,
  namespace  TEXT NOT NULL,
  url        TEXT NOT NULL,
  states     TEXT NOT NULL CHECK (json_array_length(states) > 0),
  secret     TEXT NOT NULL,
  created_at TEXT NOT NULL,
  last       TEXT CHECK (last IS NULL OR json_valid(last))
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_deliveries (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  webhook    TEXT NOT NULL REFERENCES webhooks (uuid) ON DELETE CASCADE,
  staging    TEXT NOT NULL,
  attempts   INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  due_at     TEXT NOT NULL
) STRICT;
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook, sequence);
CREATE INDEX webhook_deliveries_by_webhook_and_due ON webhook_deliveries (webhook, due_at);
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (due_at);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);
CREATE INDEX webhook_deliveries_by_staging ON webhook_deliveries (staging);

CREATE TRIGGER staging_ended AFTER UPDATE OF ended_at ON stagings WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
BEGIN
  INSERT INTO webhook_deliveries (id, webhook, staging, created_at, due_at)
  SELECT 'msg_' || lower(hex(randomblob(16))), webhooks.uuid, NEW.uuid, NEW.ended_at, NEW.ended_at
  FROM webhooks
  WHERE EXISTS (SELECT 1 FROM json_each(webhooks.states) WHERE value = NEW.state)
    AND (webhooks.namespace = '/'
      OR substr(NEW.package_fqn, 1, length('package::' || webhooks.namespace) + 1)
        IN ('package::' || webhooks.namespace || ':', 'package::' || webhooks.namespace || '/'));
END;
`
