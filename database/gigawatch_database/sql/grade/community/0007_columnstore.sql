-- Community: old chunks go into the columnstore. Its own jobs do that; gigawatch_database/storage/columnstore.py keeps
-- their spans in step with storage_window. What is dropped, and when, stays with our scheduler on every grade: a
-- retention policy would drop samples that are not rolled up yet.
ALTER TABLE accelerator_sample SET (timescaledb.compress, timescaledb.compress_segmentby = 'accelerator_id', timescaledb.compress_orderby = 'time');
ALTER TABLE node_sample SET (timescaledb.compress, timescaledb.compress_segmentby = 'node_id', timescaledb.compress_orderby = 'time');
ALTER TABLE other_point SET (timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'time');
ALTER TABLE rollup_accelerator_5min SET (timescaledb.compress, timescaledb.compress_segmentby = 'accelerator_id', timescaledb.compress_orderby = 'bucket');
ALTER TABLE rollup_accelerator_1hour SET (timescaledb.compress, timescaledb.compress_segmentby = 'accelerator_id', timescaledb.compress_orderby = 'bucket');
ALTER TABLE rollup_node_1min SET (timescaledb.compress, timescaledb.compress_segmentby = 'node_id', timescaledb.compress_orderby = 'bucket');
ALTER TABLE rollup_node_1hour SET (timescaledb.compress, timescaledb.compress_segmentby = 'node_id', timescaledb.compress_orderby = 'bucket');
ALTER TABLE rollup_factory_1min SET (timescaledb.compress, timescaledb.compress_segmentby = 'factory_id', timescaledb.compress_orderby = 'bucket');
SELECT add_compression_policy(hypertable_name, compress_after => INTERVAL '28 hours')
FROM unnest(ARRAY['accelerator_sample', 'node_sample', 'other_point']::regclass[]) AS h (hypertable_name);
SELECT add_compression_policy(hypertable_name, compress_after => INTERVAL '9 days')
FROM unnest(ARRAY[
  'rollup_accelerator_5min', 'rollup_accelerator_1hour', 'rollup_node_1min', 'rollup_node_1hour', 'rollup_factory_1min'
]::regclass[]) AS h (hypertable_name);
