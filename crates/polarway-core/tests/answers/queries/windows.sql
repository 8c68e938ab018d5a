-- Window functions
SELECT carrier, name, row_number() OVER (ORDER BY name) FROM airlines ORDER BY carrier;
SELECT month, count(*) AS n, sum(n) OVER (ORDER BY month) AS so_far, n / sum(n) OVER () AS part FROM flights GROUP BY month ORDER BY month;
SELECT origin, carrier, n, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w, ntile(3) OVER w
FROM (SELECT origin, carrier, count(*) AS n FROM flights GROUP BY ALL) WINDOW w AS (PARTITION BY origin ORDER BY n DESC) ORDER BY origin, n DESC, carrier;
SELECT time_hour, temp, lag(temp) OVER w, lead(temp, 2) OVER w, lag(temp, 1, -1) OVER w, temp - lag(temp) OVER w AS change
FROM weather WHERE origin = 'JFK' AND month = 1 AND day < 4 WINDOW w AS (ORDER BY time_hour) ORDER BY time_hour;
SELECT day, n, avg(n) OVER (ORDER BY day ROWS BETWEEN 3 PRECEDING AND CURRENT ROW), sum(n) OVER (ORDER BY day ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING),
max(n) OVER (ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), min(n) OVER (ORDER BY day ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
FROM (SELECT day, count(*) AS n FROM flights WHERE month = 6 GROUP BY day) ORDER BY day;
SELECT day, n, sum(n) OVER (ORDER BY day RANGE BETWEEN 2 PRECEDING AND 2 FOLLOWING) FROM (SELECT day, count(*) AS n FROM flights WHERE month = 7 AND day % 5 <> 0 GROUP BY day) ORDER BY day;
SELECT d, n, sum(n) OVER (ORDER BY d RANGE BETWEEN INTERVAL 3 DAYS PRECEDING AND CURRENT ROW) FROM (SELECT time_hour::DATE AS d, count(*) AS n FROM flights WHERE month = 2 GROUP BY d) ORDER BY d;
SELECT x, sum(x) OVER (ORDER BY x GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (VALUES (1), (1), (2), (3), (3), (5)) t(x) ORDER BY ALL;
SELECT x, sum(x) OVER w, list(x) OVER (ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM range(5) t(x) WINDOW w AS (ORDER BY x) ORDER BY x;
SELECT x, list(x) OVER (ORDER BY x % 2 GROUPS BETWEEN CURRENT ROW AND CURRENT ROW EXCLUDE TIES) AS l FROM range(4) t(x) ORDER BY x;
SELECT x, list(x) OVER (ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP) AS l FROM (VALUES (1), (1), (2)) t(x) ORDER BY ALL;
SELECT carrier, first_value(carrier) OVER w, last_value(carrier) OVER w, nth_value(carrier, 3) OVER w FROM airlines
WINDOW w AS (ORDER BY carrier ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING) ORDER BY carrier;
SELECT x, last_value(x IGNORE NULLS) OVER (ORDER BY i), first_value(x IGNORE NULLS) OVER (ORDER BY i), lag(x IGNORE NULLS) OVER (ORDER BY i) FROM (VALUES (1, NULL), (2, 'a'), (3, NULL), (4, 'b')) t(i, x) ORDER BY i;
SELECT x, fill(x) OVER (ORDER BY i) FROM (VALUES (1, 10), (2, NULL), (3, 30)) t(i, x) ORDER BY i;
SELECT origin, month, n, first_value(month ORDER BY n DESC) OVER (PARTITION BY origin) AS busiest FROM (SELECT origin, month, count(*) AS n FROM flights GROUP BY ALL) ORDER BY ALL;
SELECT time_hour, sum(precip) OVER (PARTITION BY origin ORDER BY time_hour ROWS 23 PRECEDING) AS rain FROM weather WHERE origin = 'LGA' AND month = 6 ORDER BY time_hour;
SELECT origin, time_hour, flight, dep_delay FROM flights QUALIFY row_number() OVER (PARTITION BY origin ORDER BY dep_delay DESC, flight) <= 3 ORDER BY ALL;
SELECT carrier, dest, count(*) AS n FROM flights GROUP BY carrier, dest QUALIFY rank() OVER (PARTITION BY carrier ORDER BY n DESC) = 1 ORDER BY ALL;
SELECT tailnum, seats FROM planes QUALIFY seats = max(seats) OVER () ORDER BY ALL;
SELECT month, day, count(*) AS n FROM flights GROUP BY month, day WINDOW w AS (PARTITION BY month) QUALIFY n > 1.05 * avg(n) OVER w ORDER BY ALL;
SELECT count(*) FILTER (WHERE carrier > 'F') OVER (ORDER BY carrier), carrier FROM airlines ORDER BY carrier;
SELECT month, count(DISTINCT dest) OVER (PARTITION BY month), dest FROM (SELECT DISTINCT month, dest FROM flights WHERE origin = 'JFK' AND dest < 'B') ORDER BY ALL;
SELECT x, median(x) OVER w, quantile_cont(x, 0.25) OVER w, stddev(x) OVER w, mode(x % 3) OVER w FROM range(12) t(x) WINDOW w AS (ORDER BY x ROWS 4 PRECEDING) ORDER BY x;
SELECT carrier, string_agg(carrier, '') OVER (ORDER BY carrier ROWS 2 PRECEDING) FROM airlines ORDER BY carrier;
SELECT lead(name) OVER (ORDER BY name DESC), name FROM airlines ORDER BY name;
SELECT a.name, row_number() OVER (PARTITION BY f.origin ORDER BY count(*) DESC, a.name) AS place, f.origin FROM flights f JOIN airlines a USING (carrier) GROUP BY a.name, f.origin ORDER BY f.origin, place;
SELECT x, sum(x) OVER base, sum(x) OVER (base ROWS 1 PRECEDING) FROM range(6) t(x) WINDOW base AS (ORDER BY x) ORDER BY x;
SELECT x, rank(ORDER BY x % 3) OVER (), row_number(ORDER BY x DESC) OVER () FROM range(7) t(x) ORDER BY x;
SELECT x, arg_max(x, -x) OVER (ORDER BY x ROWS 1 PRECEDING), bool_or(x > 2) OVER (ORDER BY x) FROM range(5) t(x) ORDER BY x;
SELECT sum(max(distance)) OVER (ORDER BY origin), origin FROM flights GROUP BY origin ORDER BY origin;
SELECT tailnum, time_hour, count(*) OVER (PARTITION BY tailnum ORDER BY time_hour RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND INTERVAL 1 HOUR PRECEDING) AS before
FROM flights WHERE tailnum IN ('N14228', 'N725MQ') ORDER BY tailnum, time_hour, flight LIMIT 200;
