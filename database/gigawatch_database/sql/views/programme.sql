-- The registry as it stands: the newest import of each file, with who entered it and when.
-- <date>_text is a date no more exact than it was said.

CREATE OR REPLACE FUNCTION programme_stated(day date, said_to programme_precision) RETURNS text
LANGUAGE sql IMMUTABLE RETURN CASE said_to
  WHEN 'year' THEN to_char(day, 'YYYY')
  WHEN 'quarter' THEN to_char(day, 'YYYY-"Q"Q')
  WHEN 'month' THEN to_char(day, 'YYYY-MM')
  ELSE to_char(day, 'YYYY-MM-DD')
END;
COMMENT ON FUNCTION programme_stated IS 'A date no more exact than it was said: 2026, 2026-Q4 (also half-years and seasons, by their end), 2026-03, 2026-03-16.';

CREATE OR REPLACE VIEW programme_newest_import AS
SELECT * FROM programme_import ORDER BY import_id DESC LIMIT 1;

CREATE OR REPLACE VIEW programme_factory_current AS
SELECT i.imported_at, i.entered_by, programme_stated(r.stated_on, r.stated_on_precision) AS stated_on_text, r.*
FROM programme_factory r JOIN programme_newest_import i USING (import_id);

CREATE OR REPLACE VIEW programme_system_current AS
SELECT i.imported_at, i.entered_by, programme_stated(r.status_as_of, r.status_as_of_precision) AS status_as_of_text, r.*
FROM programme_system r JOIN programme_newest_import i USING (import_id);

CREATE OR REPLACE VIEW programme_capacity_current AS
SELECT i.imported_at, i.entered_by, programme_stated(r.as_of, r.as_of_precision) AS as_of_text, r.*
FROM programme_capacity r JOIN programme_newest_import i USING (import_id);

CREATE OR REPLACE VIEW programme_milestone_current AS
SELECT
  i.imported_at,
  i.entered_by,
  programme_stated(r.date, r.date_precision) AS date_text,
  programme_stated(r.stated_on, r.stated_on_precision) AS stated_on_text,
  r.*
FROM programme_milestone r JOIN programme_newest_import i USING (import_id);

CREATE OR REPLACE VIEW programme_funding_current AS
SELECT i.imported_at, i.entered_by, programme_stated(r.as_of, r.as_of_precision) AS as_of_text, r.*
FROM programme_funding r JOIN programme_newest_import i USING (import_id);

CREATE OR REPLACE VIEW programme_antenna_current AS
SELECT i.imported_at, i.entered_by, r.*
FROM programme_antenna r JOIN programme_newest_import i USING (import_id);

CREATE OR REPLACE VIEW programme_strand_current AS
SELECT i.imported_at, i.entered_by, programme_stated(r.date, r.date_precision) AS date_text, r.*
FROM programme_strand r JOIN programme_newest_import i USING (import_id);

CREATE OR REPLACE VIEW programme_promise_current AS
SELECT i.imported_at, i.entered_by, programme_stated(r.due, r.due_precision) AS due_text, r.*
FROM programme_promise r JOIN programme_newest_import i USING (import_id);

CREATE OR REPLACE VIEW programme_gigafactory_lot_current AS
SELECT i.imported_at, i.entered_by, programme_stated(r.as_of, r.as_of_precision) AS as_of_text, r.*
FROM programme_gigafactory_lot r JOIN programme_newest_import i USING (import_id);

CREATE OR REPLACE VIEW programme_model_current AS
SELECT i.imported_at, i.entered_by, r.*
FROM programme_model r JOIN programme_newest_import i USING (import_id);
