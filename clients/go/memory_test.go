package polarway_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

func TestEveryBufferOfTablesThatArriveIsFreed(t *testing.T) {
	ctx := polarwaytest.Context(t)
	address := polarwaytest.Start(t)
	value(clientOf(t, address).Store(ctx, "t", numbers(t, manyRows)))
	allocator := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer allocator.AssertSize(t, 0)
	client, err := polarway.Dial(ctx, address, polarway.WithAllocator(allocator))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	table := value(client.Load(ctx, "t"))
	table.Retain()
	table.Release()
	kept := table.Batches()[0]
	kept.Retain()
	table.Release()
	if kept.Column(0).(*array.Int64).Value(1) != 1 {
		t.Error("a batch that was kept is there")
	}
	kept.Release()
	if allocator.CurrentAlloc() != 0 {
		t.Errorf("%d bytes are left of a load", allocator.CurrentAlloc())
	}

	var last arrow.RecordBatch
	for batch, err := range client.LoadStream(ctx, "t") {
		if err != nil {
			t.Fatal(err)
		}
		if last == nil {
			batch.Retain()
			last = batch
		}
		if allocator.CurrentAlloc() > 8<<20 {
			t.Fatalf("%d bytes are held in a loop that keeps one batch", allocator.CurrentAlloc())
		}
	}
	last.Release()

	// A loop that is left, a reader that is released in its middle, and a query that fails free what they had.
	for range client.QueryStream(ctx, "FROM t") {
		break
	}
	reader := value(client.OpenLoad(ctx, "t", polarway.Columns("n"), polarway.Rows(10, 400_000)))
	if !reader.Next() || reader.Version() != 1 || reader.TotalRows() != manyRows || reader.SelectedRows() != 399_990 {
		t.Error(reader.Err())
	}
	reader.Release()
	query := value(client.OpenQuery(ctx, "SELECT n, n::TEXT AS text FROM t"))
	if query.Summary() != nil {
		t.Error("the summary comes last")
	}
	for query.Next() {
	}
	if query.Err() != nil || query.Summary().Rows != manyRows || query.Summary().Datasets[0].Name != "t" || query.Summary().Times.Total() == 0 {
		t.Errorf("%+v, %v", query.Summary(), query.Err())
	}
	query.Release()
	if _, err := client.Query(ctx, "SELECT (CASE WHEN n > 400000 THEN 'x' ELSE '1' END)::INTEGER FROM t"); err == nil {
		t.Error("'x' is no integer")
	}
	proxy := polarwaytest.NewProxy(t, address, 2_000_000, polarwaytest.Cut)
	broken, err := polarway.Dial(ctx, proxy.Address, polarway.WithAllocator(allocator))
	if err != nil {
		t.Fatal(err)
	}
	value(broken.Load(ctx, "t")).Release()
	value(broken.Query(ctx, "FROM t")).Release()
	_ = broken.Close()
}

func TestStoringATableLeavesItsReferencesAsTheyWere(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	allocator := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer allocator.AssertSize(t, 0)
	builder := array.NewInt64Builder(allocator)
	builder.AppendValues([]int64{1, 2, 3}, nil)
	column := builder.NewArray()
	builder.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	batch := array.NewRecordBatch(schema, []arrow.Array{column}, 3)
	column.Release()
	table := array.NewTableFromRecords(schema, []arrow.RecordBatch{batch, batch})

	value(client.Store(ctx, "t", batch))
	value(client.Store(ctx, "t", []arrow.RecordBatch{batch, batch}))
	value(client.Store(ctx, "t", table))
	reader, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch, batch, batch})
	if err != nil {
		t.Fatal(err)
	}
	value(client.Store(ctx, "t", reader))
	reader.Release()
	published := value(client.Store(ctx, "t", func() (array.RecordReader, error) {
		return array.NewRecordReader(schema, []arrow.RecordBatch{batch})
	}))
	if published.Version != 5 || published.Rows != 3 {
		t.Errorf("%+v", published)
	}
	_, err = client.Store(ctx, "no/name", table)
	refused(t, err, polarway.ErrInvalidInput)
	loaded := value(client.Load(ctx, "t"))
	value(client.Append(ctx, "t", loaded))
	loaded.Release()
	table.Release()
	batch.Release()
}
