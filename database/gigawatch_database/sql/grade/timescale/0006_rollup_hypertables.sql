-- Apache and Community: the levels that grow with the fleet are hypertables, so that old buckets go by the chunk.
SELECT create_hypertable('rollup_accelerator_5min', by_range('bucket', INTERVAL '1 day'), create_default_indexes => false);
SELECT create_hypertable('rollup_accelerator_1hour', by_range('bucket', INTERVAL '10 days'), create_default_indexes => false);
SELECT create_hypertable('rollup_accelerator_1day', by_range('bucket', INTERVAL '100 days'), create_default_indexes => false);
SELECT create_hypertable('rollup_node_1min', by_range('bucket', INTERVAL '1 day'), create_default_indexes => false);
SELECT create_hypertable('rollup_node_1hour', by_range('bucket', INTERVAL '30 days'), create_default_indexes => false);
SELECT create_hypertable('rollup_factory_1min', by_range('bucket', INTERVAL '30 days'), create_default_indexes => false);
