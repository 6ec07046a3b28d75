-- Alerts ask for what arrived lately, whenever it happened: a node's spool may bring an event long after.
CREATE INDEX ON event (received_at);
