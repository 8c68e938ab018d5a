-- Joins of every kind
SELECT a.name, count(*) FROM flights JOIN airlines a USING (carrier) GROUP BY a.name ORDER BY a.name;
SELECT f.flight, a.name FROM flights f INNER JOIN airlines a ON f.carrier = a.carrier WHERE f.dest = 'LEX' ORDER BY ALL;
SELECT p.manufacturer, count(*) FROM flights f LEFT JOIN planes p ON f.tailnum = p.tailnum GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 20;
SELECT count(*), count(f.flight), count(p.tailnum) FROM (FROM flights WHERE month = 1 AND day < 8) f FULL OUTER JOIN planes p ON f.tailnum = p.tailnum;
SELECT a.faa, count(f.flight) AS n FROM flights f RIGHT JOIN airports a ON a.faa = f.dest GROUP BY a.faa ORDER BY n DESC, a.faa LIMIT 110;
SELECT carrier, name, n FROM airlines LEFT JOIN (SELECT carrier, count(*) AS n FROM flights WHERE dest = 'HNL' GROUP BY carrier) USING (carrier) ORDER BY carrier;
SELECT count(*) FROM airlines a CROSS JOIN airports b;
SELECT a.carrier, b.carrier FROM airlines a, airlines b WHERE a.carrier < b.carrier AND b.carrier < 'B' ORDER BY ALL;
SELECT count(*) FROM flights NATURAL JOIN airlines;
SELECT count(*) FROM flights NATURAL JOIN planes;
SELECT * FROM (SELECT 1 AS a, 2 AS b) NATURAL FULL JOIN (SELECT 3 AS a, 4 AS c) ORDER BY a;
SELECT count(*) FROM planes SEMI JOIN flights USING (tailnum);
SELECT count(*), count(DISTINCT tailnum) FROM flights ANTI JOIN planes USING (tailnum);
SELECT faa FROM airports a SEMI JOIN flights f ON a.faa = f.dest AND f.distance > 2400 ORDER BY faa;
SELECT carrier FROM airlines ANTI JOIN (FROM flights WHERE dest = 'LAX') USING (carrier) ORDER BY carrier;
SELECT f.time_hour, f.flight, w.temp, w.wind_speed FROM flights f JOIN weather w ON f.origin = w.origin AND f.time_hour = w.time_hour
WHERE f.flight = 15 ORDER BY f.time_hour, f.origin LIMIT 100;
SELECT f.time_hour, f.origin, w.time_hour AS measured, w.temp FROM (FROM flights WHERE flight < 5) f ASOF JOIN weather w
ON f.origin = w.origin AND f.time_hour >= w.time_hour ORDER BY f.time_hour, f.origin, f.flight, f.carrier LIMIT 60;
SELECT t.seen, w.time_hour, w.pressure FROM (VALUES (TIMESTAMPTZ '2013-03-01 10:30:00Z'), (TIMESTAMPTZ '2012-01-01 00:00:00Z')) t(seen)
ASOF LEFT JOIN (FROM weather WHERE origin = 'JFK') w ON t.seen >= w.time_hour ORDER BY t.seen;
SELECT p.day, p.price, s.sold FROM (VALUES (1, 10), (5, 20), (9, 30)) p(day, price) ASOF JOIN (VALUES (0), (4), (6), (9)) s(sold) ON p.day > s.sold ORDER BY p.day;
SELECT a.x, b.y FROM (VALUES (1), (3)) a(x) ASOF JOIN (VALUES (2), (4)) b(y) ON a.x < b.y ORDER BY ALL;
SELECT * FROM airlines POSITIONAL JOIN (VALUES (1), (2), (3)) v(n) ORDER BY carrier;
SELECT a.faa, b.faa FROM (FROM airports ORDER BY faa LIMIT 4) a POSITIONAL JOIN (FROM airports ORDER BY faa DESC LIMIT 6) b;
SELECT a.carrier, l.dest, l.n FROM airlines a, LATERAL (SELECT dest, count(*) AS n FROM flights f WHERE f.carrier = a.carrier GROUP BY dest ORDER BY n DESC, dest LIMIT 2) l
ORDER BY ALL;
SELECT a.carrier, l.first FROM airlines a LEFT JOIN LATERAL (SELECT min(time_hour) AS first FROM flights f WHERE f.carrier = a.carrier AND f.distance > 2500) l ON true ORDER BY ALL;
SELECT n, m FROM range(4) t(n), LATERAL (SELECT unnest(range(n)) AS m) ORDER BY ALL;
SELECT x, y, z FROM (SELECT 2 AS x), (SELECT x + 1 AS y), (SELECT x * y AS z);
SELECT a.dest, a.month, b.month FROM (SELECT DISTINCT dest, month FROM flights WHERE origin = 'LGA') a JOIN (SELECT DISTINCT dest, month FROM flights WHERE origin = 'LGA') b
ON a.dest = b.dest AND a.month + 6 = b.month WHERE a.dest < 'B' ORDER BY ALL;
SELECT count(*) FROM airports a JOIN airports b ON a.lat BETWEEN b.lat - 0.01 AND b.lat + 0.01 AND a.faa < b.faa;
SELECT count(*) FROM planes a JOIN planes b ON a.year < b.year - 40 AND a.seats > b.seats;
SELECT l.x, r.x FROM (VALUES (1), (NULL), (2)) l(x) FULL JOIN (VALUES (NULL), (2), (3)) r(x) ON l.x IS NOT DISTINCT FROM r.x ORDER BY ALL;
SELECT l.x, r.x FROM (VALUES (1), (NULL)) l(x) LEFT JOIN (VALUES (NULL), (1)) r(x) ON l.x = r.x ORDER BY ALL;
SELECT o.name AS origin, d.name AS dest, al.name AS airline, count(*) AS n, round(avg(f.arr_delay), 3) AS late
FROM flights f JOIN airports o ON f.origin = o.faa JOIN airports d ON f.dest = d.faa JOIN airlines al USING (carrier)
GROUP BY ALL ORDER BY ALL;
SELECT count(*) FROM (airlines a JOIN flights f USING (carrier)) JOIN planes p USING (tailnum);
SELECT f1.flight, f2.flight FROM flights f1 JOIN flights f2 ON f1.tailnum = f2.tailnum AND f1.time_hour = f2.time_hour AND f1.flight < f2.flight ORDER BY ALL LIMIT 20;
SELECT count(*), sum(distance) FROM flights f LEFT JOIN planes p ON f.tailnum = p.tailnum AND p.year >= 2010 WHERE p.tailnum IS NULL;
