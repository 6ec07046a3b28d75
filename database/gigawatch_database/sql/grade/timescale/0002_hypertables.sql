-- Apache and Community: one hypertable for each kind of thing.
-- The default time index is left out: UNIQUE (thing, time) serves drill-down, BRIN (time) "the last minute of the fleet".
SELECT create_hypertable('accelerator_sample', by_range('time', INTERVAL '4 hours'), create_default_indexes => false);
SELECT create_hypertable('node_sample', by_range('time', INTERVAL '1 day'), create_default_indexes => false);
SELECT create_hypertable('other_point', by_range('time', INTERVAL '1 day'), create_default_indexes => false);
SELECT create_hypertable('other_distribution', by_range('time', INTERVAL '1 day'), create_default_indexes => false);
