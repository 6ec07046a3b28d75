-- Make the daily partitions (UTC) of every partitioned table that a span touches; says how many it made.
-- Rows of such a day may lie in the DEFAULT partition already, where they came before their day was made: they move.
CREATE OR REPLACE FUNCTION ensure_partitions(since timestamptz, until timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  fallback text;
  child text;
  day timestamptz;
  made int := 0;
BEGIN
  -- Collectors call this every hour, and may do so at once.
  PERFORM pg_advisory_xact_lock(47470002);
  FOREACH parent IN ARRAY ARRAY['accelerator_sample', 'node_sample', 'other_point', 'other_distribution'] LOOP
    fallback := parent || '_default';
    FOR day IN
      SELECT generate_series(date_trunc('day', since AT TIME ZONE 'UTC'), until AT TIME ZONE 'UTC', interval '1 day') AT TIME ZONE 'UTC'
    LOOP
      child := parent || to_char(day AT TIME ZONE 'UTC', '"_"YYYYMMDD');
      CONTINUE WHEN to_regclass(quote_ident(child)) IS NOT NULL;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', child, parent);
      EXECUTE format(
        'WITH moved AS (DELETE FROM %I WHERE time >= $1 AND time < $2 RETURNING *) INSERT INTO %I SELECT * FROM moved',
        fallback, child
      ) USING day, day + interval '1 day';
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, day, day + interval '1 day');
      made := made + 1;
    END LOOP;
  END LOOP;
  RETURN made;
END
$$;
