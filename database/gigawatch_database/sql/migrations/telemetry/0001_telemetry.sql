-- Telemetry: who sends, what is there, what was read, what happened.
-- The columns of *_sample are the contract's (gigawatch_contract/metrics.py); a test compares both.

CREATE TABLE factory (
  factory_id text PRIMARY KEY CHECK (factory_id ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  simulated boolean NOT NULL,
  first_seen timestamptz NOT NULL DEFAULT now(),
  CHECK (simulated = (factory_id LIKE 'sim-%'))
);

CREATE TABLE node (
  node_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  factory_id text NOT NULL REFERENCES factory,
  host_name text NOT NULL,
  host_id text,
  rack text,
  vendor text,
  driver_version text,
  first_seen timestamptz NOT NULL DEFAULT now(),
  UNIQUE (factory_id, host_name)
);

CREATE TABLE accelerator (
  accelerator_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  factory_id text NOT NULL REFERENCES factory,
  node_id int NOT NULL REFERENCES node,
  hw_id text NOT NULL,
  accelerator_index int,
  model text,
  first_seen timestamptz NOT NULL DEFAULT now(),
  UNIQUE (factory_id, hw_id)
);
CREATE INDEX ON accelerator (node_id);

-- The newest sample of a factory, written in the transaction that stores it: max(time) over a fleet has no index.
CREATE TABLE freshness (
  factory_id text PRIMARY KEY REFERENCES factory,
  newest_time timestamptz NOT NULL,
  received_at timestamptz NOT NULL
);

CREATE TABLE accelerator_sample (
  time timestamptz NOT NULL,
  accelerator_id int NOT NULL,
  node_id int NOT NULL,
  counters_since timestamptz,
  utilization float4,
  memory_controller_utilization float4,
  memory_used int8,
  memory_total int8,
  power float4,
  power_average float4,
  power_limit_enforced float4,
  power_limit_requested float4,
  power_limit_default float4,
  power_limit_min float4,
  power_limit_max float4,
  energy float8,
  temperature float4,
  memory_temperature float4,
  sm_clock int8,
  memory_clock int8,
  throttle_software_power_cap float8,
  throttle_software_thermal float8,
  throttle_hardware_thermal float8,
  throttle_hardware_power_brake float8,
  throttle_sync_boost float8,
  pcie_receive int8,
  pcie_transmit int8,
  nvlink_receive int8,
  nvlink_transmit int8,
  ecc_corrected int8,
  ecc_uncorrected int8,
  status_ok int2,
  status_degraded int2,
  status_failed int2,
  status_unresponsive int2,
  status_lost int2,
  reading_age float4,
  UNIQUE (accelerator_id, time)
);
CREATE INDEX accelerator_sample_time ON accelerator_sample USING brin (time);

CREATE TABLE node_sample (
  time timestamptz NOT NULL,
  node_id int NOT NULL,
  counters_since timestamptz,
  clock_skew float4,
  accelerators int4,
  exporter_cpu_time float8,
  exporter_memory int8,
  read_duration float4,
  reader_restarts int8,
  spool_size int8,
  spool_dropped int8,
  UNIQUE (node_id, time)
);
CREATE INDEX node_sample_time ON node_sample USING brin (time);

CREATE TABLE event (
  event_id text NOT NULL,
  time timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  factory_id text NOT NULL REFERENCES factory,
  node_id int REFERENCES node,
  accelerator_id int REFERENCES accelerator,
  name text NOT NULL,
  severity_number smallint,
  body text,
  attributes jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (factory_id, event_id)
);
CREATE INDEX ON event (time);
CREATE INDEX ON event (accelerator_id, time) WHERE accelerator_id IS NOT NULL;

-- What arrives over OTLP and is not in the contract.
CREATE TABLE other_series (
  series_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  identity bytea NOT NULL UNIQUE,
  factory_id text NOT NULL REFERENCES factory,
  node_id int REFERENCES node,
  name text NOT NULL,
  unit text NOT NULL,
  kind text NOT NULL,
  temporality text NOT NULL,
  attributes jsonb NOT NULL,
  scope text NOT NULL
);
CREATE INDEX ON other_series (factory_id, name);

CREATE TABLE other_point (
  time timestamptz NOT NULL,
  series_id bigint NOT NULL,
  start_time timestamptz,
  value float8,
  UNIQUE (series_id, time)
);

CREATE TABLE other_distribution (
  time timestamptz NOT NULL,
  series_id bigint NOT NULL,
  start_time timestamptz,
  body jsonb NOT NULL,
  UNIQUE (series_id, time)
);

-- What should be there: coverage, availability and every alert about absence rest on it.
CREATE TABLE inventory_node (
  factory_id text NOT NULL,
  host_name text NOT NULL,
  rack text,
  accelerators int NOT NULL CHECK (accelerators >= 0),
  model text,
  valid_from timestamptz NOT NULL,
  valid_to timestamptz,
  entered_by text NOT NULL,
  PRIMARY KEY (factory_id, host_name, valid_from),
  CHECK (valid_to IS NULL OR valid_to > valid_from)
);
