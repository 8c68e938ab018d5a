package polarway_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

// client is a client of a server of its own.
func client(t testing.TB, options ...polarway.Option) *polarway.Client {
	t.Helper()
	return clientOf(t, polarwaytest.Start(t), options...)
}

func clientOf(t testing.TB, address string, options ...polarway.Option) *polarway.Client {
	t.Helper()
	options = append([]polarway.Option{polarway.WithTimeout(polarwaytest.Patience)}, options...)
	made, err := polarway.Dial(context.Background(), address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := made.Close(); err != nil {
			t.Error(err)
		}
	})
	return made
}

// numbers is a batch with a column `n` of so many numbers, from 0.
func numbers(t testing.TB, rows int) arrow.RecordBatch {
	t.Helper()
	values := make([]int64, rows)
	for row := range values {
		values[row] = int64(row)
	}
	builder := array.NewInt64Builder(memory.DefaultAllocator)
	defer builder.Release()
	builder.AppendValues(values, nil)
	column := builder.NewArray()
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	batch := array.NewRecordBatch(schema, []arrow.Array{column}, int64(rows))
	t.Cleanup(batch.Release)
	return batch
}

// refused checks an error: its kind, and texts in it. It is one line.
func refused(t testing.TB, err, kind error, says ...string) *polarway.Error {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("%v is not %v", err, kind)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has several lines", err)
	}
	for _, said := range says {
		if !strings.Contains(err.Error(), said) {
			t.Errorf("%q has no %q", err, said)
		}
	}
	var failed *polarway.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%T is no *polarway.Error", err)
	}
	return failed
}

func TestATableIsStoredLoadedQueriedDescribedAndDeleted(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	if err := client.HealthCheck(ctx); err != nil {
		t.Fatal(err)
	}
	published := value(client.Store(ctx, "t", numbers(t, 3)))
	if published.Version != 1 || published.Rows != 3 || published.WasRetry || time.Since(published.Time) > time.Hour {
		t.Errorf("%+v", published)
	}
	table := value(client.Load(ctx, "t"))
	defer table.Release()
	var loaded []int64
	if err := table.Scan(&loaded); err != nil || len(loaded) != 3 || loaded[2] != 2 {
		t.Errorf("%v, %v", loaded, err)
	}
	sum := value(client.Query(ctx, "SELECT sum(n)::BIGINT AS sum FROM t WHERE n >= $least", polarway.Named("least", 1)))
	defer sum.Release()
	var sums []struct{ Sum int64 }
	if err := sum.Scan(&sums); err != nil || sums[0].Sum != 3 {
		t.Errorf("%v, %v", sums, err)
	}
	described := value(client.Describe(ctx, "t"))
	if described.Rows != 3 || described.Schema.Field(0).Name != "n" || described.Files != 1 || described.ArrowBytes == 0 {
		t.Errorf("%+v", described)
	}
	datasets := value(client.Datasets(ctx))
	if len(datasets) != 1 || datasets[0].Name != "t" || datasets[0].Bytes == 0 {
		t.Errorf("%+v", datasets)
	}
	deleted := value(client.Delete(ctx, "t"))
	if deleted.Version != 2 {
		t.Errorf("%+v", deleted)
	}
	versions := value(client.Versions(ctx, "t"))
	if len(versions) != 2 || versions[0].Kind != polarway.VersionOverwrite || versions[1].Kind.String() != "delete" {
		t.Errorf("%+v", versions)
	}
	stats := value(client.CacheStats(ctx))
	if stats.CapacityBytes == 0 || stats.HitRate < 0 || stats.HitRate > 1 {
		t.Errorf("%+v", stats)
	}
	info := value(client.ServerInfo(ctx))
	if info.ServerVersion == "" || info.WorkerID == "" || info.DuckDBVersion == "" || info.ProtocolRevision == 0 {
		t.Errorf("%+v", info)
	}
}

// value drops the error, which it reports.
func value[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestAnErrorHasACodeAReasonAndTheIDOfItsCall(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	value(client.Store(ctx, "flights", numbers(t, 1)))
	_, err := client.Load(ctx, "flihgts")
	failed := refused(t, err, polarway.ErrDatasetNotFound, "flihgts", "flights")
	if failed.Code != codes.NotFound || failed.Reason != "UNKNOWN_DATASET" || failed.Retryable || len(failed.RequestID) != 36 {
		t.Errorf("%+v", failed)
	}
	if !errors.Is(err, polarway.ErrNotFound) || errors.Is(err, polarway.ErrVersionNotFound) {
		t.Error("a kind is one of its wider kind, and of no other")
	}
	_, err = client.Query(ctx, "SELECT m FROM flights")
	if !errors.Is(err, polarway.ErrQuery) || !errors.As(err, &failed) || failed.Reason != "INVALID_QUERY" {
		t.Errorf("%v", err)
	}
}

func TestStoreBatchStoresEachTableOnItsOwn(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	published := value(client.StoreBatch(ctx, map[string]any{"a": numbers(t, 1), "b": numbers(t, 2)}))
	if published["a"].Rows != 1 || published["b"].Rows != 2 {
		t.Errorf("%+v", published)
	}
	published, err := client.StoreBatch(ctx, map[string]any{"a": numbers(t, 3), "no/name": numbers(t, 1)})
	var batch *polarway.BatchError
	if !errors.As(err, &batch) || len(batch.Errors) != 1 || batch.Errors["no/name"].Reason != "INVALID_NAME" {
		t.Fatalf("%v", err)
	}
	if batch.Published["a"].Version != 2 || published["a"].Version != 2 || !errors.Is(err, polarway.ErrInvalidInput) {
		t.Errorf("%+v, %v", batch, err)
	}
	if batch.Errors["no/name"].RequestID == "" || !strings.Contains(err.Error(), "1 of 2 tables") {
		t.Errorf("%v", err)
	}
	if none, err := client.StoreBatch(ctx, nil); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

func TestTwoHundredCallsAtTheSameTimeShareOneClient(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	value(client.Store(ctx, "t", numbers(t, 1000)))
	var running sync.WaitGroup
	errs := make(chan error, 200)
	for number := range 200 {
		running.Go(func() {
			errs <- func() error {
				switch number % 4 {
				case 0:
					table, err := client.Query(ctx, "SELECT ?::BIGINT AS n", number)
					if err != nil {
						return err
					}
					defer table.Release()
					var found []int
					if err := table.Scan(&found); err != nil || found[0] != number {
						return errors.Join(err, errors.New("another answer"))
					}
					return nil
				case 1:
					rows := int64(0)
					for batch, err := range client.LoadStream(ctx, "t") {
						if err != nil {
							return err
						}
						rows += batch.NumRows()
					}
					if rows != 1000 {
						return errors.New("rows are missing")
					}
					return nil
				case 2:
					_, err := client.Describe(ctx, "t")
					return err
				default:
					_, err := client.Append(ctx, "t2", numbers(t, 1))
					if errors.Is(err, polarway.ErrDatasetNotFound) {
						return nil
					}
					return err
				}
			}()
		})
	}
	running.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAClosedClientMakesNoCalls(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	for range 2 {
		if err := client.Close(); err != nil {
			t.Errorf("to close twice does nothing: %v", err)
		}
	}
	_, err := client.Load(ctx, "t")
	refused(t, err, polarway.ErrClosed)
	refused(t, client.HealthCheck(ctx), polarway.ErrClosed)
	_, err = client.Store(ctx, "t", numbers(t, 1))
	refused(t, err, polarway.ErrClosed)
}

func TestACallThatRunsEndsWhenItsClientIsClosed(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	ended := make(chan error, 1)
	go func() {
		_, err := client.Query(ctx, endless)
		ended <- err
	}()
	for len(value(client.Queries(ctx))) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	_ = client.Close()
	refused(t, <-ended, polarway.ErrClosed)
}

// endless is a query that runs until it is stopped.
const endless = "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b"

func TestAWriteThatAProgramNamesIsMadeOnce(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	id := value(uuid.NewV7())
	first := value(client.Store(ctx, "t", numbers(t, 3), polarway.RequestID(id)))
	again := value(client.Store(ctx, "t", numbers(t, 3), polarway.RequestID(id)))
	if first.WasRetry || !again.WasRetry || again.Version != first.Version {
		t.Errorf("%+v, %+v", first, again)
	}
	gone := value(uuid.NewV7())
	first = value(client.Delete(ctx, "t", polarway.RequestID(gone)))
	again = value(client.Delete(ctx, "t", polarway.RequestID(gone)))
	if first.WasRetry || !again.WasRetry || again.Version != first.Version {
		t.Errorf("%+v, %+v", first, again)
	}
	// A UUID of another version has no time.
	_, err := client.Store(ctx, "t", numbers(t, 3), polarway.RequestID(uuid.New()))
	refused(t, err, polarway.ErrInvalidInput, "UUID of version 7", "uuid.NewV7")
	_, err = client.Delete(ctx, "t", polarway.RequestID(uuid.Nil))
	refused(t, err, polarway.ErrInvalidInput, "UUID of version 7")
}

func TestATableShowsItsFirstRows(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	value(client.Store(ctx, "t", []arrow.RecordBatch{numbers(t, 7), numbers(t, 500_000)}))
	table := value(client.Load(ctx, "t"))
	defer table.Release()
	text := table.String()
	if len(text) > 400 || !strings.Contains(text, "n: type=int64") || !strings.Contains(text, "12]") || !strings.HasSuffix(text, "\n499987 more rows\n") {
		t.Errorf("%.1000s", text)
	}
	few := value(client.Query(ctx, "FROM t LIMIT 20"))
	defer few.Release()
	if text := few.String(); strings.Contains(text, "more rows") || !strings.Contains(text, "12]") {
		t.Error(text)
	}
}

func TestNumbersOf39DigitsComeAsText(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	table := value(client.Query(ctx, "SELECT 170141183460469231731687303715884105727::HUGEINT AS large", polarway.HugeintAsText()))
	defer table.Release()
	var texts []string
	if err := table.Scan(&texts); err != nil || texts[0] != "170141183460469231731687303715884105727" {
		t.Errorf("%v, %v", texts, err)
	}
}

func TestTheSummaryTellsWhichWorkersRanTheQuery(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	for _, engine := range []polarway.Engine{polarway.EngineAuto, polarway.EngineLocal} {
		reader := value(client.OpenQuery(ctx, "SELECT 42 AS answer", polarway.WithEngine(engine)))
		for reader.Next() {
		}
		summary := reader.Summary()
		if summary == nil || summary.Engine != polarway.EngineLocal || summary.Workers != 1 {
			t.Errorf("%v: %+v, %v", engine, summary, reader.Err())
		}
		reader.Release()
	}
	_, err := client.Query(ctx, "SELECT 42", polarway.WithEngine(7))
	if !errors.Is(err, polarway.ErrInvalidInput) {
		t.Errorf("an engine that there is not: %v", err)
	}
}
