-- gigawatch_reader reads views, and no table (migrations/storage/0008_reader.sql says why it could).
DO $$
DECLARE
  found regclass;
BEGIN
  FOR found IN
    SELECT c.oid
    FROM pg_class c
    JOIN pg_roles r ON r.rolname = 'gigawatch_reader'
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND has_table_privilege(r.oid, c.oid, 'SELECT')
  LOOP
    EXECUTE format('REVOKE SELECT ON %s FROM gigawatch_reader', found);
  END LOOP;
END
$$;
