-- Jobs as the newest import tells them, and who held what when. Bound times by constants or parameters.

CREATE OR REPLACE VIEW job_current AS
SELECT DISTINCT ON (j.factory_id, j.job_id) j.*, i.imported_at, i.entered_by
FROM job j JOIN job_import i USING (import_id)
ORDER BY j.factory_id, j.job_id, j.import_id DESC;
COMMENT ON VIEW job_current IS 'Each job as the newest import tells it; older versions stay in job. ended_at NULL: it runs, or its end is not known.';

CREATE OR REPLACE VIEW allocation_current AS
SELECT a.factory_id, a.job_id, a.host_name, a.held, a.count, a.held_from, a.held_to, j.user_pseudonym, j.account, j.user_class, j.state
FROM allocation a
JOIN job j USING (factory_id, job_id, import_id)
WHERE NOT EXISTS (
  SELECT FROM job later
  WHERE later.factory_id = a.factory_id AND later.job_id = a.job_id AND later.import_id > a.import_id
);
COMMENT ON VIEW allocation_current IS 'The nodes that each job held, from held_from (inclusive) to held_to (exclusive; NULL: still). held: indexes of the accelerators, NULL where the source does not say which; count: how many on this node, NULL where it does not say.';

CREATE OR REPLACE VIEW accelerator_job AS
SELECT
  a.accelerator_id, a.hw_id, a.accelerator_index, c.factory_id, c.host_name, c.job_id, c.user_pseudonym, c.account, c.user_class,
  c.held_from, c.held_to
FROM allocation_current c
JOIN node n ON n.factory_id = c.factory_id AND n.host_name = c.host_name
JOIN accelerator a ON a.node_id = n.node_id
WHERE CASE
  WHEN c.held IS NOT NULL THEN a.accelerator_index = ANY (c.held)
  -- Not told which: surely all of them, or nobody knows.
  ELSE c.count >= (SELECT count(*) FROM accelerator every WHERE every.node_id = n.node_id)
END;
COMMENT ON VIEW accelerator_job IS 'Which accelerator each job held when. Join: reading.accelerator_id, time >= held_from AND (held_to IS NULL OR time < held_to). An allocation that does not say which of a node''s accelerators it held is here only if it held all of them.';

CREATE OR REPLACE VIEW allocation_overlap AS
SELECT
  a.factory_id, a.host_name, a.job_id, b.job_id AS other_job_id,
  greatest(a.held_from, b.held_from) AS overlaps_from, least(a.held_to, b.held_to) AS overlaps_to
FROM allocation_current a
JOIN allocation_current b
  ON b.factory_id = a.factory_id AND b.host_name = a.host_name AND b.job_id > a.job_id
  AND b.held && a.held
  AND b.held_from < coalesce(a.held_to, 'infinity') AND a.held_from < coalesce(b.held_to, 'infinity');
COMMENT ON VIEW allocation_overlap IS 'Two jobs that the sources say held one accelerator at one time: an error in the accounting. Only allocations that say which accelerators they held can be compared.';
