/**
 * Webhooks of one staging, which the call names that submits it. They go with its record.
 *
 * A lane is what deliveries share: those of a webhook of a namespace have one of their own, and those of calls have one for
 * each namespace, because a call may name any number of receivers over time. The name of a lane is a UUID or a namespace.
 *
 * From here on, secrets are sealed. The daemon seals those that it finds (`sealAll` of the repository), because SQL cannot.
 */
export const SQL = `
ALTER TABLE webhooks ADD COLUMN staging TEXT REFERENCES stagings (uuid) ON DELETE CASCADE;
CREATE INDEX webhooks_by_staging ON webhooks (staging);

ALTER TABLE webhook_deliveries ADD COLUMN lane TEXT NOT NULL DEFAULT '';
UPDATE webhook_deliveries SET lane = webhook;
DROP INDEX webhook_deliveries_by_webhook_and_due;
CREATE INDEX webhook_deliveries_by_lane ON webhook_deliveries (lane, sequence);
CREATE INDEX webhook_deliveries_by_lane_and_due ON webhook_deliveries (lane, due_at);

DROP TRIGGER staging_ended;
CREATE TRIGGER staging_ended AFTER UPDATE OF ended_at ON stagings WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
BEGIN
  INSERT INTO webhook_deliveries (id, webhook, lane, staging, created_at, due_at)
  SELECT 'msg_' || lower(hex(randomblob(16))), uuid, lane, NEW.uuid, NEW.ended_at, NEW.ended_at
  FROM (
    SELECT uuid, namespace AS lane FROM webhooks WHERE staging = NEW.uuid
    UNION ALL
    SELECT uuid, uuid AS lane FROM webhooks
    WHERE staging IS NULL
      AND EXISTS (SELECT 1 FROM json_each(webhooks.states) WHERE value = NEW.state)
      AND (webhooks.namespace = '/'
        OR substr(NEW.package_fqn, 1, length('package::' || webhooks.namespace) + 1)
          IN ('package::' || webhooks.namespace || ':', 'package::' || webhooks.namespace || '/')));
END;
`
