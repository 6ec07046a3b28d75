-- Alerts: what fires, what changed, what is to be told to whom, and what became of it.

-- When each rule group was last evaluated, whichever process did it: its clock never runs backwards.
CREATE TABLE alert_evaluation (
  rule_group text PRIMARY KEY,
  evaluated_at timestamptz NOT NULL,
  duration interval NOT NULL,
  failed_rules text[] NOT NULL DEFAULT '{}'
);

-- One row is one episode of one alert: from the first time its condition held until it was known to hold no longer.
CREATE TABLE alert_instance (
  instance_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id uuid NOT NULL,  -- of all labels, by SHA-256: no label can be made to collide with another's
  rule_group text NOT NULL,
  rule text NOT NULL,
  labels jsonb NOT NULL,
  annotations jsonb NOT NULL,
  link text NOT NULL,
  value float8,
  state text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
  active_since timestamptz NOT NULL,
  fired_at timestamptz,
  clear_since timestamptz,  -- the condition is known not to hold; keep_firing_for runs
  unknown_since timestamptz,  -- the data that could resolve the alert is missing
  resolved_at timestamptz,
  CHECK ((state = 'pending') = (fired_at IS NULL)),
  CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
  CHECK (resolved_at >= fired_at AND fired_at >= active_since)
);
CREATE UNIQUE INDEX alert_instance_live ON alert_instance (alert_id) WHERE state <> 'resolved';
CREATE INDEX alert_instance_of_group ON alert_instance (rule_group, rule) WHERE state <> 'resolved';
CREATE INDEX ON alert_instance (fired_at);

CREATE TABLE alert_transition (
  transition_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  instance_id bigint NOT NULL REFERENCES alert_instance ON DELETE CASCADE,
  change text NOT NULL CHECK (change IN ('pending', 'firing', 'unknown', 'known', 'resolved')),
  time timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason text
);
CREATE INDEX ON alert_transition (instance_id);

-- An address that alerts go to. Its URL and secret stay in the configuration; the digest tells when the URL changed.
CREATE TABLE alert_receiver (
  receiver text PRIMARY KEY,
  address_digest text NOT NULL,
  disabled_at timestamptz,
  disabled_reason text
);

-- What one receiver hears in order: messages of a group leave one after the other, those of two groups side by side.
CREATE TABLE alert_group (
  group_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  receiver text NOT NULL REFERENCES alert_receiver,
  group_key text NOT NULL,
  labels jsonb NOT NULL,
  next_attempt timestamptz,  -- NULL: nothing to tell
  lease uuid,  -- of the worker that sends for the group now
  leased_until timestamptz,
  UNIQUE (receiver, group_key)
);
CREATE INDEX ON alert_group (receiver, next_attempt) WHERE next_attempt IS NOT NULL;

-- One message: its body is written once, so that every repeat says the same under the same id.
CREATE TABLE alert_notification (
  notification_id uuid PRIMARY KEY,
  group_id bigint NOT NULL REFERENCES alert_group,
  body text NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
  created_at timestamptz NOT NULL,
  attempts int NOT NULL DEFAULT 0,
  finished_at timestamptz,
  CHECK ((state = 'waiting') = (finished_at IS NULL))
);
CREATE UNIQUE INDEX alert_notification_in_order ON alert_notification (group_id) WHERE state = 'waiting';

-- What each receiver has yet to hear (notification_id NULL or waiting), and which firing alerts it has heard of.
-- A row is written in the transaction of its state change, and leaves when the receiver knows that the alert resolved.
CREATE TABLE alert_outbox (
  outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  group_id bigint NOT NULL REFERENCES alert_group,
  instance_id bigint NOT NULL REFERENCES alert_instance,
  status text NOT NULL CHECK (status IN ('firing', 'resolved')),
  queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  notification_id uuid REFERENCES alert_notification,
  UNIQUE (group_id, instance_id, status)
);
CREATE INDEX ON alert_outbox (group_id) WHERE notification_id IS NULL;
CREATE INDEX ON alert_outbox (notification_id);
CREATE INDEX ON alert_outbox (instance_id);

-- Which messages told of an alert: its timeline, from the state change to the answer.
CREATE TABLE alert_notification_instance (
  notification_id uuid NOT NULL REFERENCES alert_notification ON DELETE CASCADE,
  instance_id bigint NOT NULL REFERENCES alert_instance ON DELETE CASCADE,
  status text NOT NULL CHECK (status IN ('firing', 'resolved')),
  PRIMARY KEY (notification_id, instance_id)
);
CREATE INDEX ON alert_notification_instance (instance_id);

-- An attempt without finished_at belongs to a worker that is sending now, or died while it sent.
CREATE TABLE alert_attempt (
  notification_id uuid NOT NULL REFERENCES alert_notification ON DELETE CASCADE,
  number int NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  status int,  -- of the HTTP answer, when there was one
  error text,  -- in our words: never what the receiver wrote, never its URL
  PRIMARY KEY (notification_id, number)
);
