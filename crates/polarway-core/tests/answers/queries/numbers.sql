-- Numbers: arithmetic, rounding, bits and casts
SELECT 7 / 2, 7 // 2, -7 // 2, 7 % 3, -7 % 3, 7.5 % 2, 2 ** 10, 2 ^ 0.5, 5!, -5, @ -5, ~5, 5 & 3, 5 | 3, xor(5, 3), 1 << 10, 1024 >> 3;
SELECT 1 / 0, 1 % 0, 1 // 0, 0e0 / 0, 1e308 * 10, TRY(1::TINYINT + 127::TINYINT), 1::TINYINT + 1::SMALLINT, typeof(1::TINYINT + 1::BIGINT), typeof(1 + 1.5), typeof(1 + 1e0);
SELECT abs(-3), sign(-2.5), ceil(1.2), floor(-1.2), round(2.5), round(-2.5), round(1234.567, 2), round(1234.567, -2), round_even(2.5, 0), trunc(-1.7), even(2.1), fdiv(7, 2), fmod(7.5, 2);
SELECT sqrt(2), cbrt(27), exp(1), ln(10), log(100), log2(8), log(2, 8), pow(2, 0.5), gamma(5), lgamma(5), factorial(20), gcd(12, 18), lcm(4, 6), pi(), nextafter(1e0, 2e0);
SELECT sin(1), cos(1), tan(1), asin(0.5), acos(0.5), atan(1), atan2(1, 2), cot(1), sinh(1), cosh(1), tanh(1), asinh(1), acosh(2), atanh(0.5), radians(180), degrees(pi());
SELECT isnan('nan'::DOUBLE), isinf('-inf'::DOUBLE), isfinite(1e0), signbit(-0.0e0), 'nan'::DOUBLE = 'nan'::DOUBLE, 'nan'::DOUBLE > 'inf'::DOUBLE, greatest(1, 2.5, NULL), least('b', 'a');
SELECT CAST(1.5 AS INTEGER), 2.5::INTEGER, -1.5::INTEGER, 1e10::BIGINT, '42'::INTEGER, ' 42 '::INTEGER, '1e3'::DOUBLE, true::INTEGER, 0::BOOLEAN, 'yes'::BOOLEAN, '0x1F'::INTEGER;
SELECT TRY_CAST('x' AS INTEGER), TRY_CAST(300 AS TINYINT), TRY_CAST('1.5' AS DECIMAL(3, 2)), TRY_CAST('nan' AS DECIMAL(3, 2)), TRY_CAST('t' AS BOOLEAN), TRY_CAST(NULL AS DATE), TRY_CAST(1e20 AS BIGINT);
SELECT 1::FLOAT / 3, 1::DOUBLE / 3, 0.1::FLOAT::DOUBLE, 123456789::FLOAT, 1.1::FLOAT = 1.1, (1.0 / 3)::DECIMAL(10, 5), 1::DECIMAL(5, 2) / 3, 1.23 * 4.567, 10.5 % 3;
SELECT 99.99::DECIMAL(4, 2) + 0.01::DECIMAL(4, 2), sum(x::DECIMAL(4, 1)), avg(x::DECIMAL(4, 1)), round(avg(x), 3), typeof(sum(x::DECIMAL(4, 1))) FROM (VALUES (1.5), (2.5), (3.7)) t(x);
SELECT (170141183460469231731687303715884105727 - 1)::VARCHAR, 2::HUGEINT ** 3, 10::HUGEINT * 10000000000000000000, 18446744073709551615::UBIGINT + 1::HUGEINT, -1::HUGEINT // 3;
SELECT 255::UTINYINT & 15::UTINYINT, typeof(255::UTINYINT + 1::UTINYINT), 1::UINTEGER - 2::INTEGER, bit_count(255), get_bit('101'::BIT, 1), set_bit('101'::BIT, 1, 1), bit_position('1'::BIT, '001'::BIT), bitstring('1', 4);
SELECT distance::DOUBLE / air_time * 60 AS mph, distance / (air_time / 60) AS again FROM flights WHERE air_time > 0 ORDER BY mph DESC LIMIT 10;
SELECT 2 * 6371 * asin(sqrt(pow(sin(radians(b.lat - a.lat) / 2), 2) + cos(radians(a.lat)) * cos(radians(b.lat)) * pow(sin(radians(b.lon - a.lon) / 2), 2))) AS km, b.faa
FROM airports a, airports b WHERE a.faa = 'JFK' ORDER BY km DESC, b.faa LIMIT 10;
SELECT width, count(*) FROM (SELECT floor(distance / 250) * 250 AS width FROM flights) GROUP BY width ORDER BY width;
SELECT sum(distance * 0.01), sum(distance * 0.01e0), sum(distance::DECIMAL(10, 2) * 1.05), avg(distance / 3) FROM flights;
SELECT equi_width_bins(0, 10, 2, true), equi_width_bins(0::DOUBLE, 1::DOUBLE, 4, false);
SELECT add(1, 2), subtract(5, 3), multiply(2, 3), divide(7, 2), mod(7, 4), power(2, 3), -(-3), +4, NOT 0;
