-- Tables, indexes, text functions, window functions, JSON and a big sort.
CREATE TABLE numbers AS
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
                            WHERE i < 60000)
    SELECT i, (i * 7919) % 10007 AS k, printf('%08x-%s', i * 2654435761,
        substr('the quick brown fox jumps over the lazy dog', i % 40, 12)) AS t
    FROM n;
CREATE INDEX by_key ON numbers(k);
CREATE INDEX by_text ON numbers(t, k);
SELECT count(*), sum(k), max(t) FROM numbers;
SELECT k, count(*), group_concat(t, '|') FROM numbers WHERE k % 500 = 3
    GROUP BY k ORDER BY k;
SELECT i, t, sum(k) OVER (PARTITION BY i % 100 ORDER BY t ROWS 5 PRECEDING) s
    FROM numbers ORDER BY s DESC, t LIMIT 20;
SELECT length(group_concat(upper(t) || lower(t))) FROM numbers;
CREATE TABLE copy AS SELECT * FROM numbers ORDER BY t DESC, i;
UPDATE copy SET t = replace(t, 'o', 'oooo') || i WHERE i % 3 = 0;
DELETE FROM copy WHERE i % 7 = 0;
SELECT count(*), sum(length(t)) FROM copy;
SELECT json_group_array(json_object('i', i, 't', t)) FROM copy WHERE i < 200;
SELECT count(*) FROM numbers a JOIN copy b ON a.t = b.t AND a.k = b.k;
VACUUM;
DROP TABLE numbers;
SELECT count(DISTINCT t) FROM copy;
