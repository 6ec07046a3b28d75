-- What pages, rules and KPIs read of the past. Buckets begin at `bucket` and are aligned to UTC. Means are sum / count;
-- over several rows: sum the sums, sum the counts, divide last. Coverage is sum(samples_had) / sum(samples_expected), of
-- nodes and factories: an accelerator has no row where it was silent.

CREATE OR REPLACE VIEW accelerator_5min AS
SELECT a.factory_id, f.simulated, n.host_name, n.rack, a.hw_id, a.accelerator_index, a.model, r.*
FROM rollup_accelerator_5min r
JOIN accelerator a USING (accelerator_id)
JOIN node n ON n.node_id = r.node_id
JOIN factory f ON f.factory_id = a.factory_id;

CREATE OR REPLACE VIEW accelerator_1hour AS
SELECT a.factory_id, f.simulated, n.host_name, n.rack, a.hw_id, a.accelerator_index, a.model, r.*
FROM rollup_accelerator_1hour r
JOIN accelerator a USING (accelerator_id)
JOIN node n ON n.node_id = r.node_id
JOIN factory f ON f.factory_id = a.factory_id;

CREATE OR REPLACE VIEW accelerator_1day AS
SELECT a.factory_id, f.simulated, n.host_name, n.rack, a.hw_id, a.accelerator_index, a.model, r.*
FROM rollup_accelerator_1day r
JOIN accelerator a USING (accelerator_id)
JOIN node n ON n.node_id = r.node_id
JOIN factory f ON f.factory_id = a.factory_id;

CREATE OR REPLACE VIEW node_1min AS
SELECT n.factory_id, f.simulated, n.host_name, n.rack, r.*
FROM rollup_node_1min r
JOIN node n USING (node_id)
JOIN factory f USING (factory_id);

CREATE OR REPLACE VIEW node_1hour AS
SELECT n.factory_id, f.simulated, n.host_name, n.rack, r.*
FROM rollup_node_1hour r
JOIN node n USING (node_id)
JOIN factory f USING (factory_id);

CREATE OR REPLACE VIEW node_1day AS
SELECT n.factory_id, f.simulated, n.host_name, n.rack, r.*
FROM rollup_node_1day r
JOIN node n USING (node_id)
JOIN factory f USING (factory_id);

CREATE OR REPLACE VIEW factory_1min AS
SELECT f.simulated, r.*
FROM rollup_factory_1min r
JOIN factory f USING (factory_id);

CREATE OR REPLACE VIEW factory_1hour AS
SELECT f.simulated, r.*
FROM rollup_factory_1hour r
JOIN factory f USING (factory_id);

CREATE OR REPLACE VIEW factory_1day AS
SELECT f.simulated, r.*
FROM rollup_factory_1day r
JOIN factory f USING (factory_id);
