-- Beside inventory_node (what should be there): where it stands, its state, and the maintenance declared for it.
-- Nothing is overwritten: a row that no longer holds is closed, withdrawn, or followed by a later one.

CREATE TABLE node_state (
  factory_id text NOT NULL,
  host_name text NOT NULL,
  state text NOT NULL CHECK (state IN ('up', 'drained', 'down', 'retired')),
  reason text,
  since timestamptz NOT NULL,
  declared_at timestamptz NOT NULL,
  declared_by text NOT NULL,
  -- What excuses counts from when it was said, what ends an excuse from when it was so.
  effective_from timestamptz NOT NULL
    GENERATED ALWAYS AS (CASE WHEN state IN ('drained', 'retired') THEN greatest(since, declared_at) ELSE since END) STORED,
  PRIMARY KEY (factory_id, host_name, declared_at),
  CHECK (state = 'up' OR reason IS NOT NULL)
);
CREATE INDEX ON node_state (factory_id, host_name, effective_from DESC);

CREATE TABLE maintenance (
  maintenance_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  factory_id text NOT NULL,
  scope text NOT NULL CHECK (scope IN ('node', 'rack', 'site')),
  name text,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
  reason text NOT NULL,
  declared_at timestamptz NOT NULL,
  declared_by text NOT NULL,
  withdrawn_at timestamptz,
  withdrawn_by text,
  CHECK ((scope = 'site') = (name IS NULL)),
  CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL))
);
CREATE INDEX ON maintenance (factory_id, ends_at);
