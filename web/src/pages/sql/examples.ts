export const EXAMPLES: readonly { title: string; sql: string }[] = [
  {
    title: "Services by p95",
    sql: `SELECT service, count(*) AS spans,
       approx_percentile_cont(duration_ns, 0.95) / 1e6 AS p95_ms
FROM spans
WHERE time > now() - INTERVAL '1 hour' AND kind IN ('server', 'consumer')
GROUP BY service
ORDER BY p95_ms DESC`,
  },
  {
    title: "Requests a minute, by service",
    sql: `SELECT date_bin(INTERVAL '1 minute', time) AS minute, service, count(*) AS requests
FROM spans
WHERE time > now() - INTERVAL '1 hour' AND kind = 'server'
GROUP BY minute, service
ORDER BY minute`,
  },
  {
    title: "What slow requests logged",
    sql: `SELECT l.time, l.service, l.level, l.body, s.duration_ns / 1e6 AS request_ms, l.trace_id
FROM spans s
JOIN logs l ON l.trace_id = s.trace_id
WHERE s.time > now() - INTERVAL '15 minutes' AND l.time > now() - INTERVAL '15 minutes'
  AND s.parent_span_id IS NULL AND s.duration_ns > 300000000
ORDER BY s.duration_ns DESC, l.time
LIMIT 200`,
  },
  {
    title: "Errors by operation",
    sql: `SELECT service, name, status_message, count(*) AS errors
FROM spans
WHERE time > now() - INTERVAL '1 hour' AND status = 'error'
GROUP BY service, name, status_message
ORDER BY errors DESC
LIMIT 50`,
  },
  {
    title: "An attribute's values",
    sql: `SELECT attributes['http.response.status_code'] AS code, count(*) AS spans
FROM spans
WHERE time > now() - INTERVAL '1 hour' AND attributes['http.response.status_code'] IS NOT NULL
GROUP BY code
ORDER BY spans DESC`,
  },
  {
    title: "Log lines by level and minute",
    sql: `SELECT date_bin(INTERVAL '1 minute', time) AS minute, level, count(*) AS lines
FROM logs
WHERE time > now() - INTERVAL '1 hour'
GROUP BY minute, level
ORDER BY minute`,
  },
  {
    title: "Memory of processes, from metrics",
    sql: `SELECT time_bucket('1 minute', time) AS minute, labels['job'] AS job, max(value) / 1e6 AS mb
FROM metrics
WHERE name = 'process_resident_memory_bytes' AND time > now() - INTERVAL '1 hour'
GROUP BY minute, job
ORDER BY minute`,
  },
  {
    title: "The newest log lines",
    sql: `SELECT time, service, level, body, trace_id
FROM logs
WHERE time > now() - INTERVAL '15 minutes'
ORDER BY time DESC
LIMIT 500`,
  },
];
