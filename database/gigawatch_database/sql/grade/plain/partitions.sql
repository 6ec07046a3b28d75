-- Make the daily partitions (UTC) of every partitioned table that a span touches; says how many it made.
-- Rows of such a day may lie in the DEFAULT partition already, where they came before their day was made: they move.
-- Collectors call this every hour, and may do so at once and while rows come in. Writers are kept out for the moment of
-- the change: one that had already chosen the DEFAULT partition would fail. A table that does not come free within
-- half a second (before PostgreSQL looks for deadlocks) is left for the next call; its rows go to DEFAULT until then.
CREATE OR REPLACE FUNCTION ensure_partitions(since timestamptz, until timestamptz) RETURNS int
LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE
  parent text;
  child text;
  day timestamptz;
  made int := 0;
BEGIN
  FOREACH parent IN ARRAY ARRAY['accelerator_sample', 'node_sample', 'other_point', 'other_distribution'] LOOP
    FOR day IN
      SELECT generate_series(date_trunc('day', since AT TIME ZONE 'UTC'), until AT TIME ZONE 'UTC', interval '1 day') AT TIME ZONE 'UTC'
    LOOP
      child := parent || to_char(day AT TIME ZONE 'UTC', '"_"YYYYMMDD');
      CONTINUE WHEN to_regclass(child) IS NOT NULL;
      BEGIN
        EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', parent);
        CONTINUE WHEN to_regclass(child) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
        EXECUTE format(
          'WITH moved AS (DELETE FROM %I WHERE time >= $1 AND time < $2 RETURNING *) INSERT INTO %I SELECT * FROM moved',
          parent || '_default', child
        ) USING day, day + interval '1 day';
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, day, day + interval '1 day');
        made := made + 1;
      EXCEPTION WHEN lock_not_available THEN
        EXIT;
      END;
    END LOOP;
  END LOOP;
  RETURN made;
END
$$;
