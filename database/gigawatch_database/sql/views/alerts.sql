-- What is wrong now: alerts that fire or are pending. `known` is false while the data that could end one is missing.
CREATE OR REPLACE VIEW alert_current AS
SELECT
  i.instance_id,
  i.rule,
  i.state,
  i.unknown_since IS NULL AS known,
  i.unknown_since,
  i.active_since,
  i.fired_at,
  i.value,
  i.labels ->> 'severity' AS severity,
  i.labels ->> 'factory' AS factory_id,
  i.labels ->> 'node' AS host_name,
  i.labels ->> 'rack' AS rack,
  i.labels ->> 'accelerator' AS hw_id,
  i.labels,
  i.annotations ->> 'summary' AS summary,
  i.annotations,
  i.link
FROM alert_instance i
WHERE i.state <> 'resolved';

-- The timeline of each alert's delivery: state change, message, attempts, answer.
CREATE OR REPLACE VIEW alert_delivery AS
SELECT
  i.instance_id,
  i.rule,
  i.labels,
  n.status,
  CASE n.status WHEN 'firing' THEN i.fired_at ELSE i.resolved_at END AS changed_at,
  g.receiver,
  g.group_key,
  m.notification_id,
  m.state AS delivery,
  m.created_at,
  m.attempts,
  m.finished_at,
  a.status AS last_status,
  a.error AS last_error
FROM alert_notification_instance n
JOIN alert_instance i USING (instance_id)
JOIN alert_notification m USING (notification_id)
JOIN alert_group g USING (group_id)
LEFT JOIN alert_attempt a ON a.notification_id = m.notification_id AND a.number = m.attempts;

-- What each receiver has yet to hear.
CREATE OR REPLACE VIEW alert_backlog AS
SELECT
  r.receiver,
  r.disabled_at,
  r.disabled_reason,
  count(o.outbox_id) AS changes,
  min(o.queued_at) AS oldest
FROM alert_receiver r
LEFT JOIN alert_group g USING (receiver)
LEFT JOIN alert_outbox o ON o.group_id = g.group_id
  AND (o.notification_id IS NULL
    OR EXISTS (SELECT FROM alert_notification m WHERE m.notification_id = o.notification_id AND m.state = 'waiting'))
GROUP BY r.receiver;
