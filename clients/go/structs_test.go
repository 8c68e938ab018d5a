package polarway_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

type base struct {
	ID int64 `polarway:"id"`
}

type everything struct {
	base
	Symbol  string `polarway:"symbol"`
	Price   float64
	Small   int8
	Count   uint64
	IsIt    bool
	Maybe   *string
	Bytes   []byte
	Hash    [4]byte
	At      time.Time  `polarway:"at,us"`
	Exactly *time.Time `polarway:"exactly"`
	Took    time.Duration
	Tags    []string
	Point   [2]float32
	Limits  map[string]int32
	Inner   struct{ X, Y *int }
	Others  []struct{ A int16 }
	Left    string `polarway:"-"`
}

func TestStructsComeBackAsTheyWent(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	text, five := "maybe", 5
	exactly := time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC)
	stored := []everything{
		{
			base: base{1}, Symbol: "größe", Price: 0.1, Small: -128, Count: math.MaxUint64, IsIt: true, Maybe: &text,
			Bytes: []byte{0, 255}, Hash: [4]byte{1, 2, 3, 4}, At: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), Exactly: &exactly,
			Took: time.Nanosecond, Tags: []string{"a", ""}, Point: [2]float32{1, 2}, Limits: map[string]int32{"x": 1, "a": -1},
			Inner: struct{ X, Y *int }{X: &five}, Others: []struct{ A int16 }{{1}, {2}},
		},
		{base: base{2}, At: time.Date(2024, 2, 29, 12, 0, 0, 1000, time.UTC), Tags: []string{}, Limits: map[string]int32{}},
	}
	value(client.Store(ctx, "t", stored))
	table := value(client.Load(ctx, "t"))
	defer table.Release()
	var loaded []everything
	if err := table.Scan(&loaded); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(loaded, stored) {
		t.Errorf("%+v\n%+v", loaded, stored)
	}
	var pointers []*everything
	if err := table.Scan(&pointers); err != nil || !reflect.DeepEqual(*pointers[0], stored[0]) {
		t.Errorf("%+v, %v", pointers, err)
	}
	var maps []map[string]any
	if err := table.Scan(&maps); err != nil || maps[0]["Count"] != uint64(math.MaxUint64) || maps[1]["Maybe"] != nil {
		t.Errorf("%+v, %v", maps, err)
	}
	value(client.Append(ctx, "t", []*everything{&stored[0]}))
	value(client.Store(ctx, "empty", []everything{}))
}

func TestWhatCantBeStoredIsRefusedByNameAndNothingIsSent(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	type loop struct{ Next []*loop }
	text := "x"
	for says, records := range map[string]any{
		"<nil>":              nil,
		"int is no table":    7,
		"[]int is no table":  []int{1},
		"no record batches":  []arrow.RecordBatch{},
		"no exported fields": []struct{ hidden int }{{1}},
		`"C"`:                []struct{ C chan int }{{}},
		`"F"`:                []struct{ F any }{{1}},
		"contains itself":    []loop{{}},
		"both the column": []struct {
			A, B int `polarway:"x"`
		}{{}},
		"no time": []struct {
			A int `polarway:"a,us"`
		}{{}},
		"a unit of time": []struct {
			A time.Time `polarway:"a,year"`
		}{{}},
		"row 1 is nil":              []*base{{}, nil},
		`row 0, column "A": "\xff"`: []struct{ A string }{{"\xff"}},
		"from 1677 to 2262":         []struct{ A time.Time }{{}},
		"a key that is nil":         []struct{ M map[*string]int }{{map[*string]int{&text: 1}}},
	} {
		_, err := client.Store(ctx, "t", records)
		refused(t, err, polarway.ErrInvalidInput, says, `"t"`)
	}
	if datasets := value(client.Datasets(ctx)); len(datasets) != 0 {
		t.Errorf("%+v", datasets)
	}
	_, err := client.Append(ctx, "t", []base{{1}}, polarway.CreateOnly())
	refused(t, err, polarway.ErrInvalidInput, "CreateOnly")
}

func TestWhatDoesNotFitIntoAStructIsRefusedByColumnAndRow(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	scan := func(sql string, into any) error {
		table := value(client.Query(ctx, sql))
		defer table.Release()
		return table.Scan(into)
	}
	type one struct{ N int8 }
	for says, err := range map[string]error{
		`row 1, column "n": 300 does not fit into int8`: scan("SELECT unnest([1, 300]) AS n", new([]one)),
		`column "n": a NULL does not fit`:               scan("SELECT NULL::INTEGER AS n", new([]one)),
		`column "m" has no field`:                       scan("SELECT 1 AS n, 2 AS m", new([]one)),
		"utf8 does not fit into int8":                   scan("SELECT 'x' AS n", new([]one)),
		"2 columns don't fit":                           scan("SELECT 1 AS n, 2 AS m", new([]int)),
		"nothing to scan into":                          scan("SELECT 1 AS n", one{}),
		"-1 does not fit into uint":                     scan("SELECT -1 AS n", new([]uint)),
		"is not the same as a float64":                  scan("SELECT 9007199254740993::BIGINT AS n", new([]float64)),
		"is not the same as a float32":                  scan("SELECT 0.1::DOUBLE AS n", new([]float32)),
		"decimal(9, 2) does not fit into float64":       scan("SELECT 1.25::DECIMAL(9, 2) AS n", new([]float64)),
	} {
		refused(t, err, polarway.ErrInvalidInput, says)
	}
	var texts []string
	if err := scan("SELECT -0.05::DECIMAL(38, 2) AS d", &texts); err != nil || texts[0] != "-0.05" {
		t.Errorf("%v, %v", texts, err)
	}
	var maybe []*int
	if err := scan("SELECT unnest([1, NULL]) AS n", &maybe); err != nil || *maybe[0] != 1 || maybe[1] != nil {
		t.Errorf("%v, %v", maybe, err)
	}
}

func TestArgumentsThatCantBeUsedAreRefused(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	_, err := client.Load(ctx, "t", polarway.Columns())
	refused(t, err, polarway.ErrInvalidInput, "one column at least")
	_, err = client.Load(ctx, "t", polarway.Rows(3, 2))
	refused(t, err, polarway.ErrInvalidInput, "from 3 to 2")
	_, err = client.Load(ctx, "t", polarway.AtVersion(1), polarway.AsOf(time.Now()))
	refused(t, err, polarway.ErrInvalidInput, "leave all but one out")
	_, err = client.Describe(ctx, "t", polarway.Columns("n"))
	refused(t, err, polarway.ErrInvalidInput, "leave Columns and Rows out")
	_, err = client.Query(ctx, "SELECT ?", make(chan int))
	refused(t, err, polarway.ErrInvalidInput, `"1"`, "chan int")
	_, err = client.Query(ctx, "SELECT $a", polarway.Named("a", 1), polarway.Named("a", 2))
	refused(t, err, polarway.ErrInvalidInput, `"a" is given twice`)
	_, err = client.Query(ctx, "SELECT ?", numbers(t, 2).Column(0))
	refused(t, err, polarway.ErrInvalidInput, "2 values")
	_, err = client.Query(ctx, "SELECT 1", polarway.TimeLimit(0))
	refused(t, err, polarway.ErrInvalidInput, "no time limit")
	_, err = client.QueryHandle(ctx, "SELECT 1", polarway.HandleTTL(-1))
	refused(t, err, polarway.ErrInvalidInput, "no time to live")
	for _, call := range []func() error{
		func() error { _, err := client.Load(ctx, "\xff"); return err },
		func() error { _, err := client.Query(ctx, "SELECT '\xff'"); return err },
		func() error { _, err := client.Describe(ctx, "\xff"); return err },
		func() error { _, err := client.Store(ctx, "\xff", numbers(t, 1)); return err },
		func() error { return client.Cancel(ctx, "\xff") },
	} {
		refused(t, call(), polarway.ErrInvalidInput, "UTF-8")
	}
}
