-- Common table expressions
WITH late AS (FROM flights WHERE dep_delay > 300) SELECT origin, count(*) FROM late GROUP BY ALL ORDER BY ALL;
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a), c AS (SELECT a.x + b.x AS x FROM a, b) FROM c;
WITH busiest(airport, departures) AS (SELECT dest, count(*) FROM flights GROUP BY dest)
FROM busiest ORDER BY departures DESC, airport LIMIT 10;
WITH routes AS MATERIALIZED (SELECT origin, dest, count(*) AS n FROM flights GROUP BY ALL)
SELECT a.origin, b.origin, a.dest, a.n - b.n AS more FROM routes a JOIN routes b ON a.dest = b.dest AND a.origin < b.origin ORDER BY ALL;
WITH routes AS NOT MATERIALIZED (SELECT origin, dest, count(*) AS n FROM flights GROUP BY ALL)
SELECT origin, max(n), arg_max(dest, n) FROM routes GROUP BY origin ORDER BY origin;
WITH used AS (SELECT 1 AS x), unused AS (SELECT x / 0 FROM used) FROM used;
SELECT * FROM (WITH airlines AS (SELECT 'inner' AS name) FROM airlines) a, airlines b ORDER BY ALL;
WITH x AS (SELECT 1 AS n) SELECT (WITH x AS (SELECT 2 AS n) SELECT n FROM x), n FROM x;
WITH x AS (WITH y AS (SELECT 3 AS n) FROM y) FROM x;
WITH RECURSIVE days(day) AS (SELECT DATE '2013-01-01' UNION ALL SELECT day + 1 FROM days WHERE day < DATE '2013-01-31')
SELECT days.day, count(f.flight) AS flights FROM days LEFT JOIN flights f ON f.time_hour::DATE = days.day GROUP BY ALL ORDER BY ALL;
WITH RECURSIVE fib(n, a, b) AS (SELECT 1, 0::HUGEINT, 1::HUGEINT UNION ALL SELECT n + 1, b, a + b FROM fib WHERE n < 150) SELECT n, a FROM fib ORDER BY n;
WITH RECURSIVE legs AS (
    SELECT 1 AS leg, tailnum, origin, dest, time_hour FROM flights WHERE tailnum = 'N328AA' AND month = 1 AND day < 9
    UNION ALL
    SELECT leg + 1, f.tailnum, f.origin, f.dest, f.time_hour FROM legs l JOIN flights f
    ON f.tailnum = l.tailnum AND f.time_hour > l.time_hour AND f.time_hour < l.time_hour + INTERVAL 2 DAYS WHERE leg < 3
) FROM legs ORDER BY leg, time_hour;
WITH RECURSIVE reach(n) AS (SELECT 1 UNION SELECT (n * 3) % 17 FROM reach) SELECT n FROM reach ORDER BY n;
WITH RECURSIVE r AS (SELECT 0 AS n, '' AS word UNION ALL SELECT n + 1, word || chr(97 + n) FROM r WHERE n < 5) FROM r ORDER BY n;
WITH RECURSIVE cheapest(city, cost) USING KEY (city) AS (
    SELECT 'a', 0
    UNION
    SELECT e.target, c.cost + e.price FROM cheapest c JOIN (VALUES ('a', 'b', 4), ('a', 'c', 1), ('c', 'b', 2)) e(source, target, price)
    ON e.source = c.city LEFT JOIN recurring.cheapest old ON old.city = e.target WHERE old.cost IS NULL OR c.cost + e.price < old.cost
) FROM cheapest ORDER BY city;
WITH RECURSIVE flights AS (SELECT 1 AS n UNION ALL SELECT n * 2 FROM flights WHERE n < 100) FROM flights ORDER BY n;
WITH a AS (FROM airlines WHERE carrier < 'B'), b AS (FROM a UNION ALL FROM a) SELECT carrier, count(*) FROM b GROUP BY ALL ORDER BY ALL;
WITH per_day AS (SELECT month, day, count(*) AS n FROM flights GROUP BY ALL), ranked AS (SELECT *, rank() OVER (ORDER BY n DESC) AS place FROM per_day)
FROM ranked WHERE place <= 5 ORDER BY place, month, day;
