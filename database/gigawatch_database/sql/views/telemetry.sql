-- What pages, rules and KPIs read. Always bound `time` by constants or parameters: a subselect defeats chunk exclusion.

CREATE OR REPLACE VIEW accelerator_reading AS
SELECT
  s.time,
  a.factory_id,
  f.simulated,
  n.host_name,
  n.rack,
  a.hw_id,
  a.accelerator_index,
  a.model,
  s.accelerator_id,
  s.node_id,
  s.counters_since,
  s.utilization,
  s.memory_controller_utilization,
  s.memory_used,
  s.memory_total,
  s.power,
  s.power_average,
  s.power_limit_enforced,
  s.power_limit_requested,
  s.power_limit_default,
  s.power_limit_min,
  s.power_limit_max,
  s.energy,
  s.temperature,
  s.memory_temperature,
  s.sm_clock,
  s.memory_clock,
  s.throttle_software_power_cap,
  s.throttle_software_thermal,
  s.throttle_hardware_thermal,
  s.throttle_hardware_power_brake,
  s.throttle_sync_boost,
  s.pcie_receive,
  s.pcie_transmit,
  s.nvlink_receive,
  s.nvlink_transmit,
  s.ecc_corrected,
  s.ecc_uncorrected,
  s.status_ok,
  s.status_degraded,
  s.status_failed,
  s.status_unresponsive,
  s.status_lost,
  s.reading_age
FROM accelerator_sample s
JOIN accelerator a USING (accelerator_id)
JOIN node n ON n.node_id = s.node_id
JOIN factory f ON f.factory_id = a.factory_id;

CREATE OR REPLACE VIEW node_reading AS
SELECT
  s.time,
  n.factory_id,
  f.simulated,
  n.host_name,
  n.rack,
  s.node_id,
  s.counters_since,
  s.clock_skew,
  s.accelerators,
  s.exporter_cpu_time,
  s.exporter_memory,
  s.read_duration,
  s.reader_restarts,
  s.spool_size,
  s.spool_dropped
FROM node_sample s
JOIN node n USING (node_id)
JOIN factory f USING (factory_id);

CREATE OR REPLACE VIEW event_reading AS
SELECT
  e.event_id,
  e.time,
  e.received_at,
  e.factory_id,
  f.simulated,
  n.host_name,
  n.rack,
  a.hw_id,
  a.accelerator_index,
  a.model,
  e.name,
  e.severity_number,
  CASE WHEN e.attributes ->> 'gigawatch.xid.code' ~ '^[0-9]{1,9}$'
    THEN (e.attributes ->> 'gigawatch.xid.code')::int END AS xid_code,
  e.body,
  e.attributes,
  e.node_id,
  e.accelerator_id
FROM event e
JOIN factory f USING (factory_id)
LEFT JOIN node n ON n.node_id = e.node_id
LEFT JOIN accelerator a ON a.accelerator_id = e.accelerator_id;

CREATE OR REPLACE VIEW other_reading AS
SELECT p.time, s.factory_id, n.host_name, s.name, s.unit, s.kind, s.temporality, s.attributes, s.scope, p.start_time, p.value
FROM other_point p
JOIN other_series s USING (series_id)
LEFT JOIN node n ON n.node_id = s.node_id;
