-- PIVOT with its values listed, and UNPIVOT
PIVOT flights ON origin IN ('EWR', 'JFK', 'LGA') USING count(*) GROUP BY carrier ORDER BY carrier;
PIVOT (SELECT carrier, origin, distance FROM flights) ON origin IN ('EWR', 'JFK') USING sum(distance) ORDER BY carrier;
PIVOT flights ON origin IN ('EWR', 'LGA') USING count(*) AS n, max(distance) AS far GROUP BY month ORDER BY month;
PIVOT flights ON month IN (1, 2, 3) USING avg(arr_delay) GROUP BY origin ORDER BY origin;
PIVOT flights ON origin IN ('EWR', 'JFK'), month IN (1, 2) USING count(*) GROUP BY carrier ORDER BY carrier;
FROM flights PIVOT (count(*) FOR origin IN ('EWR', 'JFK') GROUP BY carrier) ORDER BY carrier;
SELECT * FROM (SELECT month, origin, dep_delay FROM flights) PIVOT (avg(dep_delay) FOR origin IN ('EWR' AS newark, 'JFK' AS kennedy)) ORDER BY month;
WITH p AS (PIVOT planes ON engines IN (1, 2, 3, 4) USING count(*) GROUP BY type) SELECT type, "2" + "4" FROM p ORDER BY type;
SELECT count(*) FROM (PIVOT flights ON carrier IN ('UA', 'B6') USING min(time_hour) GROUP BY dest);
UNPIVOT airlines ON carrier, name INTO NAME what VALUE text ORDER BY ALL;
UNPIVOT (SELECT origin, avg(temp) AS temp, avg(dewp) AS dewp FROM weather GROUP BY origin) ON temp, dewp INTO NAME measure VALUE degrees ORDER BY ALL;
UNPIVOT (SELECT faa, lat, lon FROM airports WHERE alt > 8000) ON COLUMNS(* EXCLUDE faa) INTO NAME axis VALUE degrees ORDER BY ALL;
UNPIVOT (SELECT tailnum, speed, seats FROM planes WHERE year < 1970) ON speed, seats INTO NAME what VALUE number ORDER BY ALL;
FROM (SELECT tailnum, speed, seats FROM planes WHERE year < 1970) UNPIVOT INCLUDE NULLS (number FOR what IN (speed, seats)) ORDER BY ALL;
FROM (SELECT 1 AS id, 10 AS jan, 20 AS feb, 30 AS mar, 40 AS apr) UNPIVOT ((first, second) FOR half IN ((jan, feb) AS winter, (mar, apr) AS spring)) ORDER BY ALL;
UNPIVOT (SELECT 1 AS a, 2.5 AS b, 3 AS c) ON (a + 1) AS more, b INTO NAME n VALUE v ORDER BY n;
UNPIVOT (PIVOT flights ON origin IN ('EWR', 'JFK') USING count(*) GROUP BY month) ON EWR, JFK INTO NAME origin VALUE n ORDER BY ALL;
