package polarway_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

func TestAResumableResultWhoseConnectionBreaksHasEachRowOnce(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	address := polarwaytest.Start(t)
	direct := clientOf(t, address)
	text := "SELECT range AS n FROM range(500000)"
	for _, directBytes := range []int{1 << 30, 1} {
		proxy := polarwaytest.NewProxy(t, address, 3_000_000, polarwaytest.Cut)
		table := value(clientOf(t, proxy.Address, polarway.WithDirectBytes(directBytes)).Query(ctx, text, polarway.Resumable()))
		if table.NumRows() != manyRows || proxy.Failures() != 1 {
			t.Errorf("%d rows, %d failures", table.NumRows(), proxy.Failures())
		}
		table.Release()
	}
	proxy := polarwaytest.NewProxy(t, address, 3_000_000, polarwaytest.Cut)
	client := clientOf(t, proxy.Address)
	reader := value(client.OpenQuery(ctx, text, polarway.Resumable()))
	if summary := reader.Summary(); summary == nil || summary.Rows != manyRows {
		t.Errorf("the query has run: %+v", summary)
	}
	if handles := value(direct.Handles(ctx)); len(handles) != 1 || handles[0].Rows != manyRows {
		t.Errorf("the result is kept while it is read: %v", handles)
	}
	sum, rows, err := sumOf(reader.Batches())
	if err != nil || rows != manyRows || sum != manyRows*(manyRows-1)/2 || proxy.Failures() != 1 {
		t.Errorf("%d rows, %d failures, %v", rows, proxy.Failures(), err)
	}
	reader.Release()

	// A loop that is left and a context that ends free the result, too.
	for range client.QueryStream(ctx, text, polarway.Resumable()) {
		break
	}
	ending, cancel := context.WithCancel(ctx)
	reader = value(client.OpenQuery(ending, text, polarway.Resumable()))
	cancel()
	for reader.Next() {
	}
	if !errors.Is(reader.Err(), context.Canceled) {
		t.Error(reader.Err())
	}
	reader.Release()
	if handles := value(direct.Handles(ctx)); len(handles) != 0 {
		t.Errorf("%d results are left", len(handles))
	}
}

func TestAResumableQueryFailsAsAnyOther(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	_, err := client.Query(ctx, "SELECT * FROM nothing", polarway.Resumable())
	refused(t, err, polarway.ErrNotFound)
	_, err = client.Query(ctx, endless, polarway.Resumable(), polarway.TimeLimit(1))
	refused(t, err, polarway.ErrTimeout)
	_, err = client.Query(ctx, "SELECT 1", polarway.Resumable(), polarway.HugeintAsText())
	refused(t, err, polarway.ErrInvalidInput, "HugeintAsText")
	for _, option := range []polarway.QueryOption{polarway.Resumable(), polarway.HugeintAsText()} {
		_, err = client.QueryHandle(ctx, "SELECT 1", option)
		refused(t, err, polarway.ErrInvalidInput, "leave out")
	}
}

func TestAHandleThatAProgramNamesIsMadeOnce(t *testing.T) {
	ctx := polarwaytest.Context(t)
	client := client(t)
	id := uuid.New()
	first := value(client.QueryHandle(ctx, "SELECT random() AS n", polarway.HandleRequest(id)))
	again := value(client.QueryHandle(ctx, "SELECT random() AS n", polarway.HandleRequest(id)))
	if first.ID != again.ID || len(value(client.Handles(ctx))) != 1 {
		t.Errorf("%v, %v", first, again)
	}
	for _, wrong := range []uuid.UUID{uuid.Nil, value(uuid.NewV7())} {
		_, err := client.QueryHandle(ctx, "SELECT 1", polarway.HandleRequest(wrong))
		refused(t, err, polarway.ErrInvalidInput, wrong.String(), "uuid.NewRandom")
	}
}
