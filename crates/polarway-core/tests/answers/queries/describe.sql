-- What tables and results look like
DESCRIBE flights;
DESCRIBE SELECT origin, count(*) AS n, avg(dep_delay) FROM flights GROUP BY origin;
DESCRIBE TABLE airlines;
DESC weather;
SUMMARIZE airlines;
SUMMARIZE SELECT month, dest FROM flights;
SELECT column_name, column_type FROM (DESCRIBE planes) WHERE column_type = 'BIGINT';
SELECT column_name, "null_percentage", approx_unique > 0 FROM (SUMMARIZE planes) ORDER BY column_name;
FROM (DESCRIBE SELECT * FROM flights JOIN airlines USING (carrier));
WITH shape AS (FROM (DESCRIBE airports)) SELECT count(*) FROM shape;
SHOW airlines;
