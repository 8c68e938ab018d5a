package polarway_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

// sumOf adds up the column `n` of a stream, and counts its rows.
func sumOf(stream func(func(arrow.RecordBatch, error) bool)) (sum, rows int64, err error) {
	for batch, err := range stream {
		if err != nil {
			return sum, rows, err
		}
		for _, number := range batch.Column(0).(*array.Int64).Int64Values() {
			sum += number
		}
		rows += batch.NumRows()
	}
	return sum, rows, nil
}

const manyRows = 500_000

func TestALoadWhoseConnectionIsCutAtRandomBytesGivesEachRowOnce(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	address := polarwaytest.Start(t)
	value(clientOf(t, address).Store(ctx, "t", numbers(t, manyRows)))
	whole := polarwaytest.NewProxy(t, address, -1, polarwaytest.Cut)
	if _, rows, err := sumOf(clientOf(t, whole.Address).LoadStream(ctx, "t")); rows != manyRows || err != nil {
		t.Fatal(rows, err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		at := random.Int64N(whole.Count())
		proxy := polarwaytest.NewProxy(t, address, at, polarwaytest.Cut)
		client, err := polarway.Dial(ctx, proxy.Address, polarway.WithLazyConnection())
		if err != nil {
			t.Fatal(err)
		}
		sum, rows, err := sumOf(client.LoadStream(ctx, "t"))
		if err != nil || rows != manyRows || sum != manyRows*(manyRows-1)/2 {
			// A connection that can't be made at first is an error at once.
			if !errors.Is(err, polarway.ErrUnavailable) || rows > 0 {
				t.Errorf("cut at %d: %d rows, %v", at, rows, err)
			}
		}
		_ = client.Close()
	}
}

func TestALoadWhoseFilesChangeBeforeItGoesOnIsTold(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	folder := t.TempDir()
	address := polarwaytest.StartIn(t, folder, nil).Address
	client := clientOf(t, address)
	value(client.Store(ctx, "long", numbers(t, manyRows)))
	value(client.Store(ctx, "short", numbers(t, 10)))
	value(client.Store(ctx, "other", value(client.Query(ctx, "SELECT n AS m FROM long"))))
	for _, other := range []string{"short", "other"} {
		adopted := filepath.Join(folder, "cold", "adopted-"+other+".parquet")
		place := func(dataset string) {
			files := value(filepath.Glob(filepath.Join(folder, "cold", dataset, "_polarway", "data", "*.parquet")))
			if len(files) != 1 {
				t.Fatal(files)
			}
			if err := os.WriteFile(adopted+".new", value(os.ReadFile(files[0])), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(adopted+".new", adopted); err != nil {
				t.Fatal(err)
			}
		}
		place("long")
		proxy := polarwaytest.NewProxy(t, address, 2_000_000, polarwaytest.Cut)
		reader := value(clientOf(t, proxy.Address).OpenLoad(ctx, "adopted-"+other, polarway.Columns("n")))
		place(other)
		for reader.Next() {
		}
		failed := refused(t, reader.Err(), polarway.ErrUnavailable, "the files of \"adopted-"+other+"\" changed while they were read")
		if failed.Reason != "CHANGED" || proxy.Failures() != 1 || failed.RequestID == "" {
			t.Errorf("%+v, %d failures", failed, proxy.Failures())
		}
		reader.Release()
	}
}

func TestAnUploadWhoseConnectionIsCutAtRandomBytesIsWrittenOnce(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	address := polarwaytest.Start(t)
	direct := clientOf(t, address)
	whole := polarwaytest.NewProxy(t, address, -1, polarwaytest.Cut)
	value(clientOf(t, whole.Address).Store(ctx, "t", numbers(t, manyRows)))
	random := rand.New(rand.NewPCG(3, 4))
	version := uint64(1)
	for range 8 {
		at := 2_000 + random.Int64N(whole.Count()-2_000)
		proxy := polarwaytest.NewProxy(t, address, at, polarwaytest.Cut)
		client := clientOf(t, proxy.Address)
		published, err := client.Append(ctx, "t", numbers(t, manyRows))
		version++
		if err != nil || published.Version != version || published.Rows != version*manyRows {
			t.Fatalf("cut at %d: %+v, %v", at, published, err)
		}
	}
	if versions := value(direct.Versions(ctx, "t")); uint64(len(versions)) != version {
		t.Errorf("%d versions, and not %d", len(versions), version)
	}
}

func TestAServerThatFallsSilentIsLeftForAnother(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	address := polarwaytest.Start(t)
	value(clientOf(t, address).Store(ctx, "t", numbers(t, manyRows)))
	proxy := polarwaytest.NewProxy(t, address, 1_000_000, polarwaytest.Silent)
	client := clientOf(t, proxy.Address)
	began := time.Now()
	sum, rows, err := sumOf(client.LoadStream(ctx, "t"))
	if err != nil || rows != manyRows || sum != manyRows*(manyRows-1)/2 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	if proxy.Failures() != 1 || time.Since(began) < 4*time.Second {
		t.Errorf("it was not silent: %d failures in %v", proxy.Failures(), time.Since(began))
	}
}

func TestAQueryIsAnErrorWhereItsConnectionBreaksBehindItsFirstRows(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	address := polarwaytest.Start(t)
	proxy := polarwaytest.NewProxy(t, address, 6_000_000, polarwaytest.Cut)
	client := clientOf(t, proxy.Address)
	_, rows, err := sumOf(client.QueryStream(ctx, "SELECT range AS n FROM range(5000000)"))
	failed := refused(t, err, polarway.ErrUnavailable)
	if rows == 0 || rows == 5_000_000 || failed.RequestID == "" {
		t.Errorf("%d rows, %+v", rows, failed)
	}
}

func TestASecondServerAnswersWhereTheFirstIsGone(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	folder := t.TempDir()
	first := polarwaytest.StartIn(t, folder, nil)
	second := polarwaytest.StartIn(t, folder, nil)
	client := clientOf(t, first.Address, polarway.WithEndpoints(second.Address))
	value(client.Store(ctx, "t", numbers(t, 3)))
	first.Kill()
	for range 5 {
		table, err := client.Load(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		table.Release()
	}
	if len(client.URLs()) != 2 {
		t.Error(client.URLs())
	}
	_, err := client.Queries(contextOf(t, 3*time.Second))
	if err == nil {
		t.Error("the queries of a worker that is gone are not known")
	}
}

// contextOf is a context that ends after a time.
func contextOf(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestAnAddressWhereNobodyListensIsFoundAtOnce(t *testing.T) {
	polarwaytest.NoLeaks(t)
	address := polarwaytest.FreeAddress(t)
	began := time.Now()
	_, err := polarway.Dial(context.Background(), address)
	refused(t, err, polarway.ErrUnavailable, address, "can't be reached", "connection refused")
	if time.Since(began) > 10*time.Second {
		t.Errorf("it took %v", time.Since(began))
	}
}

func TestAServerThatNeverAnswersIsGivenUp(t *testing.T) {
	polarwaytest.NoLeaks(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, err = polarway.Dial(context.Background(), listener.Addr().String(), polarway.WithTimeout(2*time.Second))
	if err == nil || (!errors.Is(err, polarway.ErrTimeout) && !errors.Is(err, polarway.ErrUnavailable)) {
		t.Fatal(err)
	}
}

func TestAContextThatIsCancelledEndsTheCallAndTheQuery(t *testing.T) {
	polarwaytest.NoLeaks(t)
	client := client(t)
	cause := errors.New("the user has gone")
	ctx, cancel := context.WithCancelCause(polarwaytest.Context(t))
	ended := make(chan error, 1)
	go func() {
		_, err := client.Query(ctx, endless)
		ended <- err
	}()
	all := polarwaytest.Context(t)
	for len(value(client.Queries(all))) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	cancel(cause)
	err := <-ended
	refused(t, err, polarway.ErrCancelled)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Error(err)
	}
	for len(value(client.Queries(all))) > 0 {
		time.Sleep(5 * time.Millisecond)
	}
}

func TestTheDeadlineOfAContextEndsTheCall(t *testing.T) {
	polarwaytest.NoLeaks(t)
	client := client(t)
	_, err := client.Query(contextOf(t, 300*time.Millisecond), endless)
	refused(t, err, polarway.ErrTimeout)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	_, err = client.Load(contextOf(t, -time.Second), "t")
	refused(t, err, polarway.ErrTimeout)
	_, err = client.Query(polarwaytest.Context(t), endless, polarway.TimeLimit(300*time.Millisecond))
	if failed := refused(t, err, polarway.ErrTimeout); failed.Reason != "DEADLINE_EXCEEDED" {
		t.Errorf("%+v", failed)
	}
}

func TestALoopThatIsLeftEndsItsCall(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	for batch, err := range client.QueryStream(ctx, "SELECT range AS n FROM range(100000000)") {
		if err != nil || batch.NumRows() == 0 {
			t.Fatal(err)
		}
		break
	}
	for len(value(client.Queries(ctx))) > 0 {
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAServerThatStandsStillForAWhileDoesNotLoseTheCall(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	server := polarwaytest.StartIn(t, t.TempDir(), nil)
	client := clientOf(t, server.Address)
	value(client.Store(ctx, "t", numbers(t, 10)))
	server.Signal(syscall.SIGSTOP)
	ended := make(chan error, 1)
	go func() {
		table, err := client.Load(ctx, "t")
		if err == nil {
			table.Release()
		}
		ended <- err
	}()
	time.Sleep(time.Second)
	server.Signal(syscall.SIGCONT)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestAnUploadIsAnsweredEarlyWhereItIsRefused(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	value(client.Store(ctx, "t", numbers(t, 1)))
	opened := 0
	batches := 0
	_, err := client.Store(ctx, "t", func() (array.RecordReader, error) {
		opened++
		return endlessReader(numbers(t, 100_000), &batches), nil
	}, polarway.CreateOnly())
	refused(t, err, polarway.ErrConflict)
	if opened != 1 {
		t.Errorf("it was opened %d times", opened)
	}
}

// reader gives a batch again and again.
type reader struct {
	batch arrow.RecordBatch
	count *int
	err   error
}

func endlessReader(batch arrow.RecordBatch, count *int) array.RecordReader {
	return &reader{batch: batch, count: count}
}

func (r *reader) Retain()                        {}
func (r *reader) Release()                       {}
func (r *reader) Schema() *arrow.Schema          { return r.batch.Schema() }
func (r *reader) RecordBatch() arrow.RecordBatch { return r.batch }
func (r *reader) Record() arrow.RecordBatch      { return r.batch }
func (r *reader) Err() error                     { return r.err }

func (r *reader) Next() bool {
	*r.count++
	return r.err == nil
}

func TestAnErrorOfTheRowsIsTheErrorOfTheStore(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	broken := errors.New("the file is damaged")
	count := 0
	_, err := client.Store(ctx, "t", array.RecordReader(&reader{batch: numbers(t, 1), count: &count, err: broken}))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), `"t"`) {
		t.Fatal(err)
	}
	_, err = client.Store(ctx, "t", func() (array.RecordReader, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if datasets := value(client.Datasets(ctx)); len(datasets) != 0 {
		t.Error(datasets)
	}
}

func TestASlowSourceOfRowsKeepsItsUploadAlive(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	batches := make(chan arrow.RecordBatch)
	go func() {
		defer close(batches)
		// Longer than a server waits for a client that says nothing.
		time.Sleep(6 * time.Second)
		batches <- numbers(t, 20)
	}()
	published, err := client.Store(ctx, "t", array.RecordReader(&channelReader{schema: numbers(t, 0).Schema(), batches: batches}))
	if err != nil || published.Rows != 20 {
		t.Fatal(published, err)
	}
}

type channelReader struct {
	schema  *arrow.Schema
	batches <-chan arrow.RecordBatch
	current arrow.RecordBatch
}

func (r *channelReader) Retain()                        {}
func (r *channelReader) Release()                       {}
func (r *channelReader) Schema() *arrow.Schema          { return r.schema }
func (r *channelReader) RecordBatch() arrow.RecordBatch { return r.current }
func (r *channelReader) Record() arrow.RecordBatch      { return r.current }
func (r *channelReader) Err() error                     { return nil }

func (r *channelReader) Next() bool {
	batch, isMore := <-r.batches
	r.current = batch
	return isMore
}
