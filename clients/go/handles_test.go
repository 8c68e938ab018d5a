package polarway_test

import (
	"testing"
	"time"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

type group struct {
	Carrier string
	N       int64
}

func TestAResultThatIsKeptIsLoadedAskedFurtherExtendedAndDropped(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	type flight struct {
		Carrier string `polarway:"carrier"`
		Delay   int32  `polarway:"delay"`
	}
	value(client.Store(ctx, "flights", []flight{{"UA", 90}, {"UA", 10}, {"AA", 70}, {"DL", 80}, {"DL", 61}}))
	value(client.Store(ctx, "airlines", []struct{ Carrier, Name string }{{"UA", "United"}}))
	late := value(client.QueryHandle(ctx, "SELECT * FROM flights WHERE delay > ?", 60, polarway.HandleTTL(time.Minute)))
	if late.Rows != 4 || late.TTL != time.Minute || late.Schema.NumFields() != 2 || late.Created.IsZero() {
		t.Errorf("%+v", late)
	}
	groups := func(query *polarway.LazyQuery, arguments ...any) []group {
		t.Helper()
		table, err := query.Collect(ctx, arguments...)
		if err != nil {
			t.Fatal(err)
		}
		defer table.Release()
		var found []group
		if err := table.Scan(&found); err != nil {
			t.Fatal(err)
		}
		return found
	}
	byCarrier := late.GroupBy("carrier").Agg("count(*) AS n")
	if found := groups(byCarrier.Sort("n DESC", "carrier")); len(found) != 3 || found[0] != (group{"DL", 2}) || found[2] != (group{"UA", 1}) {
		t.Errorf("%+v", found)
	}
	if found := groups(byCarrier.Filter("carrier = $carrier"), polarway.Named("carrier", "AA")); len(found) != 1 || found[0].N != 1 {
		t.Errorf("%+v", found)
	}
	kept := value(byCarrier.CollectHandle(ctx))
	joined := value(kept.Join(polarway.DatasetName("airlines"), polarway.LeftJoin, "carrier").Filter("Name IS NOT NULL").Collect(ctx))
	defer joined.Release()
	if joined.NumRows() != 1 || joined.NumCols() != 3 {
		t.Error(joined.Schema())
	}
	anti := value(kept.Join(late.Lazy().Filter("carrier = 'DL'"), polarway.AntiJoin, "carrier").Limit(10).Collect(ctx))
	defer anti.Release()
	if anti.NumRows() != 2 {
		t.Error(anti.NumRows())
	}
	if _, rows, err := sumOf(kept.Select("n").Distinct().Stream(ctx)); err != nil || rows != 2 {
		t.Error(rows, err)
	}
	loaded := value(late.Load(ctx, polarway.Columns("delay")))
	defer loaded.Release()
	if loaded.NumRows() != 4 || loaded.NumCols() != 1 {
		t.Error(loaded.Schema())
	}
	own := value(kept.Query("SELECT max(n) AS n FROM self").WithColumns("n + 1 AS m").Collect(ctx))
	defer own.Release()
	if own.NumCols() != 2 {
		t.Error(own.Schema())
	}
	if err := late.Extend(ctx, time.Hour); err != nil || late.TTL != time.Hour {
		t.Error(late.TTL, err)
	}
	if all := value(client.Handles(ctx)); len(all) != 2 {
		t.Error(all)
	}
	if found := value(client.Handle(ctx, kept.ID)); found.Rows != 3 {
		t.Error(found)
	}
	for range 2 {
		if err := late.Drop(ctx); err != nil {
			t.Error(err)
		}
	}
	_, err := late.Load(ctx)
	refused(t, err, polarway.ErrHandleNotFound, late.ID)
}

func TestAStepThatIsWrongIsRefusedBeforeAnythingIsSent(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	handle := value(client.QueryHandle(ctx, "SELECT 1 AS n"))
	for says, query := range map[string]*polarway.LazyQuery{
		"`)`":             handle.Filter("true) OR (true").Limit(1),
		"columns":         handle.Select(),
		"AS name":         handle.WithColumns("n + 1"),
		"no kind of join": handle.Join(handle, polarway.JoinKind(9), "n"),
		"nothing to join": handle.Join(nil, polarway.InnerJoin, "n"),
		"sort by":         handle.Sort(),
		"keys":            handle.GroupBy().Agg("count(*)"),
		"number of rows":  handle.Limit(1 << 63),
		"UTF-8":           handle.Query("SELECT '\xff'"),
	} {
		_, err := query.Collect(ctx)
		refused(t, err, polarway.ErrInvalidInput, says)
		_, err = query.CollectHandle(ctx)
		refused(t, err, polarway.ErrInvalidInput, says)
		_, err = query.SQL()
		refused(t, err, polarway.ErrInvalidInput, says)
		for _, err := range query.Stream(ctx) {
			refused(t, err, polarway.ErrInvalidInput, says)
		}
	}
}
