-- gigawatch_reader: whoever looks and never writes (Grafana, a notebook, a person with psql). It reads the views and no
-- table, 30 s a query. It has no password, so nobody logs in as it until one is set (docs/storage.md). Roles belong to
-- the whole server: another database may have made it. A user who may not make roles goes without.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gigawatch_reader') THEN
    CREATE ROLE gigawatch_reader LOGIN;
    ALTER ROLE gigawatch_reader SET statement_timeout = '30s';
    ALTER ROLE gigawatch_reader SET idle_in_transaction_session_timeout = '60s';
    ALTER ROLE gigawatch_reader SET default_transaction_read_only = on;
  END IF;
EXCEPTION
  WHEN insufficient_privilege THEN
    RAISE NOTICE 'this user may not make the role gigawatch_reader';
  WHEN unique_violation OR duplicate_object THEN
    NULL;  -- another database of this server makes it at the same moment
END
$$;

-- Views are made anew with each change, so the right to read them is given when they are made. Tables get it by the
-- same rule; views/reader.sql takes it from them.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'gigawatch_reader') THEN
    GRANT USAGE ON SCHEMA public TO gigawatch_reader;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO gigawatch_reader;
  END IF;
END
$$;
