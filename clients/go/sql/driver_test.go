package sql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
	driver "github.com/polarway/polarway/clients/go/sql"
)

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("polarway", polarwaytest.Start(t)+"?timeout=2m")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestADatabaseIsOpenedPingedAndQueried(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	db := open(t)
	if err := db.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(ctx, "SELECT range AS n, 'x' || range AS text FROM range(?) WHERE range >= ?", 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var n int
		var text string
		if err := rows.Scan(&n, &text); err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprint(n, text))
	}
	if rows.Err() != nil || strings.Join(found, " ") != "3x3 4x4" {
		t.Errorf("%v, %v", found, rows.Err())
	}
}

func TestParametersHaveNamesPlacesAndTypes(t *testing.T) {
	ctx := polarwaytest.Context(t)
	db := open(t)
	moment := time.Date(2024, 2, 29, 12, 0, 0, 1000, time.UTC)
	var sum, least int64
	var text string
	var when time.Time
	var isIt bool
	var nothing sql.NullInt64
	err := db.QueryRowContext(ctx, "SELECT $n::BIGINT + 1, $least::BIGINT, $text, $at, $isit, $nothing::BIGINT",
		sql.Named("n", 41), sql.Named("least", int8(-1)), sql.Named("text", "it's"), sql.Named("at", moment), sql.Named("isit", true),
		sql.Named("nothing", sql.NullInt64{})).Scan(&sum, &least, &text, &when, &isIt, &nothing)
	if err != nil {
		t.Fatal(err)
	}
	if sum != 42 || least != -1 || text != "it's" || !when.Equal(moment) || !isIt || nothing.Valid {
		t.Error(sum, least, text, when, isIt, nothing)
	}
}

func TestColumnsHaveTypes(t *testing.T) {
	ctx := polarwaytest.Context(t)
	db := open(t)
	rows, err := db.QueryContext(ctx, "SELECT 1::UBIGINT AS u, 1.50::DECIMAL(9, 2) AS d, NULL::INTEGER AS n, [1, NULL] AS l, "+
		"{'a': 'x'} AS s, DATE '2024-02-29' AS day, 'a'::BLOB AS b, TIME '12:00:00' AS clock, INTERVAL 2 DAY AS i")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	if name := types[1].DatabaseTypeName(); name != "DECIMAL(9, 2)" {
		t.Error(name)
	}
	if precision, scale, isDecimal := types[1].DecimalSize(); precision != 9 || scale != 2 || !isDecimal {
		t.Error(precision, scale, isDecimal)
	}
	if nullable, isKnown := types[0].Nullable(); !nullable || !isKnown || types[5].ScanType().String() != "time.Time" {
		t.Error(nullable, isKnown, types[5].ScanType())
	}
	rows.Next()
	values := make([]any, len(types))
	places := make([]any, len(types))
	for index := range values {
		places[index] = &values[index]
	}
	if err := rows.Scan(places...); err != nil {
		t.Fatal(err)
	}
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	for index, want := range []any{uint64(1), "1.50", nil, "[1,null]", `{"a":"x"}`, day} {
		if got := values[index]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, and not %v", types[index].Name(), got, want)
		}
	}
}

func TestAContextEndsAQueryOfADatabase(t *testing.T) {
	polarwaytest.NoLeaks(t)
	db := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := db.QueryRowContext(ctx, "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b").Scan(new(string))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	rows, err := db.QueryContext(polarwaytest.Context(t), "FROM range(100000000)")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
}

func TestADatabaseOnlyReads(t *testing.T) {
	ctx := polarwaytest.Context(t)
	db := open(t)
	if _, err := db.ExecContext(ctx, "DROP TABLE t"); err == nil || !strings.Contains(err.Error(), "only read") {
		t.Error(err)
	}
	if _, err := db.BeginTx(ctx, nil); err == nil || !strings.Contains(err.Error(), "no transactions") {
		t.Error(err)
	}
	_, err := db.QueryContext(ctx, "FROM nobody")
	var failed *polarway.Error
	if !errors.Is(err, polarway.ErrDatasetNotFound) || !errors.As(err, &failed) || failed.Reason != "UNKNOWN_DATASET" {
		t.Error(err)
	}
	statement, err := db.PrepareContext(ctx, "SELECT ?::BIGINT")
	if err != nil {
		t.Fatal(err)
	}
	defer statement.Close()
	var n int
	if err := statement.QueryRowContext(ctx, 7).Scan(&n); err != nil || n != 7 {
		t.Error(n, err)
	}
}

func TestADatabaseOfAClientLeavesItOpen(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client, err := polarway.Dial(ctx, polarwaytest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := driver.OpenDB(client).Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.HealthCheck(ctx); err != nil {
		t.Error(err)
	}
}

func TestADataSourceThatIsNoneIsRefusedAndItsTokenNotTold(t *testing.T) {
	for _, name := range []string{"localhost:x", "localhost?timeout=soon", "localhost?tokn=secret", "localhost?token=sec%0Aret", "localhost?%"} {
		_, err := sql.Open("polarway", name)
		if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "ret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
