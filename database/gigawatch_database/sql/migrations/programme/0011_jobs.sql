-- Jobs, and the nodes and accelerators that each held. Accounting comes late and is written again: each import is a
-- version, the newest holds (views/jobs.sql), the others stay. Users are keyed pseudonyms; the key never comes here.

CREATE TABLE job_import (
  import_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  imported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  entered_by text NOT NULL,
  file text NOT NULL,
  format text NOT NULL
);

CREATE TABLE job (
  import_id int NOT NULL REFERENCES job_import,
  factory_id text NOT NULL,
  job_id text NOT NULL,
  user_pseudonym text,
  account text,
  user_class text,
  name text,
  state text NOT NULL,
  submitted_at timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  PRIMARY KEY (factory_id, job_id, import_id),
  CHECK (ended_at >= started_at)
);
CREATE INDEX ON job (started_at);

CREATE TABLE allocation (
  import_id int NOT NULL,
  factory_id text NOT NULL,
  job_id text NOT NULL,
  host_name text NOT NULL,
  held int[],
  count int CHECK (count >= 0),
  held_from timestamptz NOT NULL,
  held_to timestamptz,
  PRIMARY KEY (factory_id, job_id, import_id, host_name),
  FOREIGN KEY (factory_id, job_id, import_id) REFERENCES job,
  CHECK (held_to >= held_from)
);
CREATE INDEX ON allocation (factory_id, host_name, held_from);
