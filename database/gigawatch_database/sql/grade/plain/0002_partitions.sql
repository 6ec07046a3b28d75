-- Plain PostgreSQL: daily partitions stand where TimescaleDB has hypertables. 0001 made ordinary tables, still empty:
-- each gives its definition to a partitioned one and leaves. The DEFAULT partition takes what no day fits, so that
-- nothing is lost; ensure_partitions() makes the days.
DO $$
DECLARE
  kind text;
BEGIN
  FOREACH kind IN ARRAY ARRAY['accelerator_sample', 'node_sample', 'other_point', 'other_distribution'] LOOP
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) PARTITION BY RANGE (time)', kind || '_new', kind);
    EXECUTE format('DROP TABLE %I', kind);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', kind || '_new', kind);
    EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', kind || '_default', kind);
  END LOOP;
END
$$;
