-- Expected against seen. The functions take their times as parameters, so that chunks outside are not opened.

CREATE OR REPLACE FUNCTION expected_node(span_from timestamptz, span_to timestamptz)
RETURNS TABLE (
  factory_id text, host_name text, rack text, model text, accelerators int, state text, reason text, excuse text
)
LANGUAGE sql STABLE AS $$
  SELECT
    i.factory_id, i.host_name, i.rack, i.model, i.accelerators, coalesce(s.state, 'up'), s.reason,
    CASE
      WHEN s.state IN ('drained', 'retired') AND s.effective_from <= span_from THEN s.state
      WHEN EXISTS (
        SELECT FROM maintenance m
        WHERE m.factory_id = i.factory_id
          AND (m.scope = 'site' OR m.scope = 'rack' AND m.name = i.rack OR m.scope = 'node' AND m.name = i.host_name)
          AND greatest(m.starts_at, m.declared_at) <= span_from
          AND m.ends_at > span_from AND m.ends_at >= span_to
          AND (m.withdrawn_at IS NULL OR m.withdrawn_at > span_from AND m.withdrawn_at >= span_to)
      ) THEN 'maintenance'
    END
  FROM inventory_node i
  LEFT JOIN LATERAL (
    SELECT n.state, n.reason, n.effective_from
    FROM node_state n
    WHERE n.factory_id = i.factory_id AND n.host_name = i.host_name
      AND (n.effective_from <= span_from OR n.effective_from < span_to)
    ORDER BY n.effective_from DESC, n.declared_at DESC
    LIMIT 1
  ) s ON true
  WHERE i.valid_from <= span_from AND (i.valid_to IS NULL OR i.valid_to > span_from)
$$;
COMMENT ON FUNCTION expected_node(timestamptz, timestamptz) IS 'The nodes of the inventory at span_from, with their accelerators and, in excuse, what excuses their absence over the whole span (drained, retired, maintenance), or NULL. Maintenance and drains declared after they began excuse from their declaration.';

CREATE OR REPLACE FUNCTION expected_against_seen(span_from timestamptz, span_to timestamptz, step interval DEFAULT '1 minute')
RETURNS TABLE (
  at timestamptz, factory_id text, host_name text, rack text, expected int, excuse text, node_seen boolean, seen int, missing int
)
LANGUAGE sql STABLE AS $$
  SELECT
    t.at, e.factory_id, e.host_name, e.rack, e.accelerators, e.excuse, s.node_id IS NOT NULL, coalesce(s.seen, 0)::int,
    CASE WHEN e.excuse IS NULL THEN greatest(e.accelerators - coalesce(s.seen, 0), 0)::int ELSE 0 END
  FROM generate_series(span_from, span_to - step, step) AS t (at)
  CROSS JOIN LATERAL expected_node(t.at, t.at + step) e
  LEFT JOIN node n ON n.factory_id = e.factory_id AND n.host_name = e.host_name
  LEFT JOIN (
    SELECT date_bin(step, a.time, span_from) AS bin, a.node_id, count(DISTINCT a.accelerator_id) FILTER (WHERE a.status_ok = 1) AS seen
    FROM accelerator_sample a
    WHERE a.time >= span_from AND a.time < span_to
    GROUP BY 1, 2
  ) s ON s.bin = t.at AND s.node_id = n.node_id
$$;
COMMENT ON FUNCTION expected_against_seen(timestamptz, timestamptz, interval) IS 'For each step and node of the inventory: accelerators expected, what excuses the node (or NULL), whether it reported, accelerators seen well (status_ok), accelerators missing and not excused. Whole steps only.';

CREATE OR REPLACE VIEW node_state_current AS
SELECT DISTINCT ON (factory_id, host_name) factory_id, host_name, state, reason, since, declared_at, declared_by
FROM node_state
ORDER BY factory_id, host_name, effective_from DESC, declared_at DESC;
COMMENT ON VIEW node_state_current IS 'The last state declared of each node; a node without a row is up.';

CREATE OR REPLACE VIEW inventory_proposal AS
SELECT
  n.factory_id, n.host_name, n.rack AS rack, count(a.accelerator_id)::int AS accelerators, max(a.model) AS model,
  n.first_seen, i.accelerators AS inventory_accelerators
FROM node n
LEFT JOIN accelerator a ON a.node_id = n.node_id
LEFT JOIN inventory_node i ON i.factory_id = n.factory_id AND i.host_name = n.host_name AND i.valid_to IS NULL
GROUP BY n.node_id, i.accelerators
HAVING i.accelerators IS NULL OR count(a.accelerator_id) > i.accelerators;
COMMENT ON VIEW inventory_proposal IS 'What telemetry has seen and the inventory in force lacks: nodes, and accelerators beyond the number expected.';
