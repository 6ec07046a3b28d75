-- The programme's registry: what was said of each factory, by whom, and who read it.
-- An import is a snapshot of all files: it adds rows and changes none, so every version stays. The views of
-- views/programme.sql show the newest. NULL is "not disclosed" or "not found"; 0 is "confirmed none".
-- `row` is the row in the file as a spreadsheet counts it (the header is row 1). A date that was said as a month or a
-- year keeps that in <date>_precision: what was said counts from the period's first day, what was promised from its
-- last. The columns are those of gigawatch_programme/sheets.py; a test compares both.

CREATE TABLE programme_import (
  import_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  imported_at timestamptz NOT NULL DEFAULT now(),
  entered_by text NOT NULL CHECK (entered_by <> ''),
  sha256 jsonb NOT NULL
);
COMMENT ON COLUMN programme_import.sha256 IS 'the SHA-256 of each file, by its name';

CREATE DOMAIN programme_read AS text CHECK (VALUE IN ('primary', 'secondary', 'second-hand', 'none'));
COMMENT ON DOMAIN programme_read IS 'primary: the text of the body that owns the fact was opened; secondary: press, analyst or mirror, opened; second-hand: somebody who quotes or cites the owner; none: looked for, not found';

CREATE DOMAIN programme_precision AS text CHECK (VALUE IN ('day', 'month', 'quarter', 'year'));

CREATE TABLE programme_factory (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  factory_id text NOT NULL CHECK (factory_id NOT LIKE 'sim-%'),
  official_name text NOT NULL,
  aliases text[] NOT NULL,
  country text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
  city text NOT NULL,
  lat numeric CHECK (lat BETWEEN -90 AND 90),
  lon numeric CHECK (lon BETWEEN -180 AND 180),
  coord_note text,
  host text NOT NULL,
  partners text[] NOT NULL,
  consortium_countries text[] NOT NULL,
  selection_round int NOT NULL,
  selection_date date NOT NULL,
  source text,
  read programme_read NOT NULL,
  stated_on date,
  stated_on_precision programme_precision,
  cites text,
  round_source text,
  round_read programme_read NOT NULL,
  note text,
  PRIMARY KEY (import_id, factory_id)
);

CREATE TABLE programme_system (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  factory_id text NOT NULL,
  system text NOT NULL,
  role text NOT NULL CHECK (role IN ('existing', 'new', 'upgrade', 'inference')),
  vendor text,
  accelerator text,
  nodes int CHECK (nodes >= 0),
  accel_per_node int CHECK (accel_per_node >= 0),
  status text NOT NULL CHECK (status IN ('selected', 'announced', 'tender', 'contracted', 'installing', 'delivered', 'accepted', 'operational', 'retired')),
  status_as_of date,
  status_as_of_precision programme_precision,
  tender_ref text,
  source text,
  read programme_read NOT NULL,
  cites text,
  note text,
  PRIMARY KEY (import_id, row),
  FOREIGN KEY (import_id, factory_id) REFERENCES programme_factory
);

CREATE TABLE programme_capacity (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  factory_id text NOT NULL,
  system text NOT NULL,
  stage text NOT NULL CHECK (stage IN ('announced', 'contracted', 'delivered', 'accepted', 'operational')),
  accelerators int CHECK (accelerators >= 0),
  accelerators_max int,
  qualifier text NOT NULL CHECK (qualifier IN ('exact', 'about', 'more_than', 'up_to', 'range', 'not_disclosed')),
  model text,
  as_of date,
  as_of_precision programme_precision,
  source text,
  read programme_read NOT NULL,
  cites text,
  note text,
  PRIMARY KEY (import_id, row),
  FOREIGN KEY (import_id, factory_id) REFERENCES programme_factory,
  CHECK ((accelerators IS NULL) = (qualifier = 'not_disclosed')),
  CHECK ((accelerators_max IS NOT NULL) = (qualifier = 'range')),
  CHECK (accelerators_max > accelerators)
);

CREATE TABLE programme_milestone (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  scope text NOT NULL CHECK (scope IN ('programme', 'gigafactories', 'factory')),
  factory_id text,
  milestone text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('baseline', 'forecast', 'actual')),
  date date NOT NULL,
  date_precision programme_precision NOT NULL,
  stated_on date,
  stated_on_precision programme_precision,
  as_stated text,
  source text,
  read programme_read NOT NULL,
  cites text,
  note text,
  PRIMARY KEY (import_id, row),
  FOREIGN KEY (import_id, factory_id) REFERENCES programme_factory,
  CHECK ((factory_id IS NOT NULL) = (scope = 'factory'))
);

CREATE TABLE programme_funding (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  scope text NOT NULL CHECK (scope IN ('programme', 'investai', 'gigafactories', 'strand', 'factory', 'system')),
  factory_id text,
  stage text NOT NULL CHECK (stage IN ('pledged', 'programmed', 'committed', 'contracted', 'disbursed')),
  payer text NOT NULL CHECK (payer IN ('EU', 'member_state', 'private', 'mixed', 'unknown')),
  amount_eur numeric(16, 2) CHECK (amount_eur >= 0),
  includes text NOT NULL,
  as_of date,
  as_of_precision programme_precision,
  source text,
  read programme_read NOT NULL,
  cites text,
  note text,
  PRIMARY KEY (import_id, row),
  FOREIGN KEY (import_id, factory_id) REFERENCES programme_factory,
  CHECK ((factory_id IS NOT NULL) = (scope IN ('factory', 'system')))
);
COMMENT ON TABLE programme_funding IS 'Stages are never added to each other: a contracted euro was pledged before.';

CREATE TABLE programme_antenna (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  country text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
  name text,
  host text,
  linked_factories text[] NOT NULL,
  selected date,
  total_amount numeric(16, 2) CHECK (total_amount >= 0),
  currency text CHECK (currency ~ '^[A-Z]{3}$'),
  eu_share text,
  period text,
  source text,
  read programme_read NOT NULL,
  cites text,
  note text,
  PRIMARY KEY (import_id, row),
  CHECK ((total_amount IS NULL) = (currency IS NULL))
);

CREATE TABLE programme_strand (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  strand text NOT NULL,
  item text NOT NULL,
  value numeric,
  value_max numeric,
  unit text NOT NULL,
  date date,
  date_precision programme_precision,
  source text,
  read programme_read NOT NULL,
  cites text,
  note text,
  PRIMARY KEY (import_id, row)
);

CREATE TABLE programme_promise (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  id text NOT NULL,
  pillar text NOT NULL,
  promise text NOT NULL,
  measure text,
  value numeric,
  unit text,
  due date,
  due_precision programme_precision,
  stated_by text NOT NULL,
  stated_on date NOT NULL,
  stated_on_precision programme_precision NOT NULL,
  source text,
  read programme_read NOT NULL,
  now text NOT NULL,
  now_source text NOT NULL,
  PRIMARY KEY (import_id, row),
  UNIQUE (import_id, id)
);

CREATE TABLE programme_gigafactory_lot (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  lot int NOT NULL,
  max_projects int,
  h100e_phase1 int,
  h100e_phase2 int,
  ratio_vs_top_ai_factory_phase1 text,
  ratio_phase2 numeric,
  it_mw_phase1 numeric,
  it_mw_phase1_max numeric,
  it_mw_phase2 numeric,
  eu_eur_phase1 bigint,
  eu_eur_phase2_extra bigint,
  as_of date,
  as_of_precision programme_precision,
  source text,
  read programme_read NOT NULL,
  cites text,
  note text,
  PRIMARY KEY (import_id, lot)
);
COMMENT ON TABLE programme_gigafactory_lot IS 'H100-equivalents here are the tender''s, whose rule is not published; ours are by dense BF16.';

CREATE TABLE programme_model (
  import_id bigint NOT NULL REFERENCES programme_import,
  row int NOT NULL,
  vendor text NOT NULL,
  model text NOT NULL,
  name_pattern text NOT NULL,
  name_pattern_status text,
  memory_bytes bigint,
  memory_basis text,
  power_w numeric,
  power_term text,
  fp64_tflops numeric,
  tf32_tflops numeric,
  bf16_tflops numeric,
  fp8_tflops numeric,
  fp4_tflops numeric,
  link_bytes_per_s_bidir bigint,
  counting_rule text,
  source text,
  read programme_read NOT NULL,
  note text,
  PRIMARY KEY (import_id, row),
  UNIQUE (import_id, vendor, model)
);
COMMENT ON TABLE programme_model IS 'Peaks are dense TFLOP/s. No peak is no peak: a custom part never inherits the standard one.';
