-- Storage that lasts: the levels of rollup, how long each table is kept, and what is still to be computed.
-- The columns are those of gigawatch_database/rollup/levels.py; a test compares both.

CREATE TABLE rollup_reading (
  samples int8 NOT NULL,
  samples_had int8,
  samples_expected float8,
  status_ok_seconds float8 NOT NULL,
  status_degraded_seconds float8 NOT NULL,
  status_failed_seconds float8 NOT NULL,
  status_unresponsive_seconds float8 NOT NULL,
  status_lost_seconds float8 NOT NULL,
  utilization_min float4,
  utilization_max float4,
  utilization_sum float8,
  utilization_count int8 NOT NULL,
  memory_controller_utilization_min float4,
  memory_controller_utilization_max float4,
  memory_controller_utilization_sum float8,
  memory_controller_utilization_count int8 NOT NULL,
  memory_used_min int8,
  memory_used_max int8,
  memory_used_sum float8,
  memory_used_count int8 NOT NULL,
  power_min float4,
  power_max float4,
  power_sum float8,
  power_count int8 NOT NULL,
  temperature_min float4,
  temperature_max float4,
  temperature_sum float8,
  temperature_count int8 NOT NULL,
  sm_clock_min int8,
  sm_clock_max int8,
  sm_clock_sum float8,
  sm_clock_count int8 NOT NULL,
  energy_increase float8,
  throttle_software_power_cap_increase float8,
  throttle_software_thermal_increase float8,
  throttle_hardware_thermal_increase float8,
  throttle_hardware_power_brake_increase float8,
  throttle_sync_boost_increase float8,
  pcie_receive_increase int8,
  pcie_transmit_increase int8,
  nvlink_receive_increase int8,
  nvlink_transmit_increase int8,
  ecc_corrected_increase int8,
  ecc_uncorrected_increase int8
);

-- An accelerator has a row where it sent samples. A node also has one where it is silent and the inventory lists it,
-- and a factory one for each bucket that its nodes or its inventory know.
CREATE TABLE rollup_accelerator_5min (
  bucket timestamptz NOT NULL,
  accelerator_id int NOT NULL,
  node_id int NOT NULL,
  LIKE rollup_reading,
  UNIQUE (accelerator_id, bucket)
);
CREATE INDEX ON rollup_accelerator_5min USING brin (bucket);
CREATE TABLE rollup_accelerator_1hour (LIKE rollup_accelerator_5min INCLUDING ALL);
CREATE TABLE rollup_accelerator_1day (LIKE rollup_accelerator_5min INCLUDING ALL);

CREATE TABLE rollup_node_1min (
  bucket timestamptz NOT NULL,
  node_id int NOT NULL,
  LIKE rollup_reading,
  UNIQUE (node_id, bucket)
);
CREATE INDEX ON rollup_node_1min USING brin (bucket);
CREATE TABLE rollup_node_1hour (LIKE rollup_node_1min INCLUDING ALL);
CREATE TABLE rollup_node_1day (LIKE rollup_node_1min INCLUDING ALL);

CREATE TABLE rollup_factory_1min (
  bucket timestamptz NOT NULL,
  factory_id text NOT NULL,
  LIKE rollup_reading,
  UNIQUE (factory_id, bucket)
);
CREATE INDEX ON rollup_factory_1min USING brin (bucket);
CREATE TABLE rollup_factory_1hour (LIKE rollup_factory_1min INCLUDING ALL);
CREATE TABLE rollup_factory_1day (LIKE rollup_factory_1min INCLUDING ALL);

DROP TABLE rollup_reading;

-- How often a factory's exporters send, since when: what samples_expected and the seconds of each status rest on.
-- A factory without a row sends as often as storage_window.export_interval_s says.
CREATE TABLE export_interval (
  factory_id text NOT NULL,
  valid_from timestamptz NOT NULL,
  seconds float8 NOT NULL CHECK (seconds > 0),
  PRIMARY KEY (factory_id, valid_from)
);

-- The one place that says how long each table is kept (NULL: for ever), the same for every process.
-- A level's watermark: everything before refreshed_until is computed. claimed_until is published before the computing
-- begins: who stores a row before it says so with mark_late().
CREATE TABLE storage_level (
  level text PRIMARY KEY,
  kept interval CHECK (kept > interval '0'),
  claimed_until timestamptz,
  refreshed_until timestamptz,
  refreshed_at timestamptz,
  duration interval
);
INSERT INTO storage_level (level, kept) VALUES
  ('accelerator_sample', '7 days'),
  ('node_sample', '30 days'),
  ('other_point', '30 days'),
  ('other_distribution', '30 days'),
  ('rollup_accelerator_5min', '30 days'),
  ('rollup_node_1min', '14 days'),
  ('rollup_factory_1min', '400 days'),
  ('rollup_accelerator_1hour', '400 days'),
  ('rollup_node_1hour', '400 days'),
  ('rollup_factory_1hour', NULL),
  ('rollup_accelerator_1day', NULL),
  ('rollup_node_1day', NULL),
  ('rollup_factory_1day', NULL);

-- The spans that must fit together (gigawatch_database/rollup/windows.py checks them); one row.
CREATE TABLE storage_window (
  single_row boolean PRIMARY KEY DEFAULT true CHECK (single_row),
  spool interval NOT NULL DEFAULT '24 hours',  -- how long an exporter keeps what it could not send
  accept interval NOT NULL DEFAULT '26 hours',  -- how old a sample the collector takes
  compress_after interval NOT NULL DEFAULT '28 hours',  -- Community: when a chunk goes into the columnstore
  repair interval NOT NULL DEFAULT '28 hours',  -- how far back late data changes rollups
  delay interval NOT NULL DEFAULT '1 minute',  -- how long after its end a bucket is computed
  export_interval_s float8 NOT NULL DEFAULT 15 CHECK (export_interval_s > 0),  -- where no factory says otherwise
  watching_since timestamptz  -- the first sample's minute: before it nothing was expected
);
INSERT INTO storage_window DEFAULT VALUES;

-- What came after its bucket was computed: of a level (or accelerator_sample), the things of a bucket that changed.
CREATE TABLE rollup_dirty (
  level text NOT NULL,
  bucket timestamptz NOT NULL,
  things text[] NOT NULL
);
CREATE INDEX ON rollup_dirty (level, bucket);
