-- What the writer of samples calls last in the transaction that stores (or merges) them, with the accelerator and the time
-- of each row: rows of buckets that are computed already, or are being computed, are noted to be computed again. Returns
-- how many buckets. Cheap when nothing is late. The lock is shared, held to the end of the transaction, and waited for
-- by the scheduler before it computes: a row is seen by the computing, or noted here, never neither.
CREATE OR REPLACE FUNCTION mark_late(accelerators int[], times timestamptz[]) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  claimed timestamptz;
  marked int;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(47470006);
  SELECT max(claimed_until) INTO claimed
  FROM storage_level
  WHERE level IN ('rollup_accelerator_5min', 'rollup_node_1min');

  INSERT INTO rollup_dirty (level, bucket, things)
  SELECT
    'accelerator_sample',
    date_bin('5 minutes', late.time, TIMESTAMPTZ '2000-01-01 00:00+00') AS bucket,
    array_agg(DISTINCT late.accelerator_id::text)
  FROM unnest(accelerators, times) AS late (accelerator_id, time)
  WHERE late.time < claimed
  GROUP BY bucket;
  GET DIAGNOSTICS marked = ROW_COUNT;
  RETURN marked;
END
$$;
COMMENT ON FUNCTION mark_late IS 'Notes samples that came after their bucket was computed; call it in the transaction that stores them.';

-- How often a factory's exporters sent at a time, in seconds.
CREATE OR REPLACE FUNCTION export_interval_s(factory text, at timestamptz) RETURNS float8
LANGUAGE sql STABLE AS $$
  SELECT coalesce(
    (
      SELECT e.seconds FROM export_interval e
      WHERE e.factory_id = factory AND e.valid_from <= at
      ORDER BY e.valid_from DESC LIMIT 1
    ),
    (SELECT export_interval_s FROM storage_window)
  )
$$;

-- Whether an accelerator was watched when its counters started: a sample before the start, and since then none but
-- theirs. Then all that they count was seen. A sender whose first sample is the start itself does not know the start.
CREATE OR REPLACE FUNCTION watched_from(accelerator int, start timestamptz, first_time timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT
    first_time > start
    AND EXISTS (SELECT FROM accelerator_sample s WHERE s.accelerator_id = accelerator AND s.time < start)
    AND NOT EXISTS (
      SELECT FROM accelerator_sample s
      WHERE s.accelerator_id = accelerator AND s.time >= start AND s.time < first_time
        AND s.counters_since IS DISTINCT FROM start
    )
$$;
