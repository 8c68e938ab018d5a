package polarway_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

// loadedWhole loads the table of [manyRows] numbers, and checks that each row came once.
func loadedWhole(t testing.TB, client *polarway.Client, options ...polarway.LoadOption) {
	t.Helper()
	table, err := client.Load(polarwaytest.Context(t), "t", options...)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	sum, rows, err := sumOf(func(yield func(arrow.RecordBatch, error) bool) {
		for _, batch := range table.Batches() {
			yield(batch, nil)
		}
	})
	if rows != manyRows || sum != manyRows*(manyRows-1)/2 || err != nil {
		t.Fatalf("%d rows, and their sum is %d, %v", rows, sum, err)
	}
}

func TestALargeTableComesOverAConnectionOfItsOwn(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	address := polarwaytest.Start(t)
	value(clientOf(t, address).Store(ctx, "t", numbers(t, manyRows)))
	for _, test := range []struct {
		connections int
		options     []polarway.Option
	}{
		{1, nil},
		{2, []polarway.Option{polarway.WithDirectBytes(1)}},
		{2, []polarway.Option{polarway.WithDirectBytes(1), polarway.WithStreamWindow(64 << 10)}},
		// What the user adds to connections would not hold for others.
		{1, []polarway.Option{polarway.WithDirectBytes(1), polarway.WithGRPCOptions(grpc.WithUserAgent("mine"))}},
	} {
		proxy := polarwaytest.NewProxy(t, address, -1, polarwaytest.Cut)
		client := clientOf(t, proxy.Address, test.options...)
		loadedWhole(t, client)
		if proxy.Connections() != test.connections {
			t.Errorf("%d connections, and not %d", proxy.Connections(), test.connections)
		}
		table := value(client.Load(ctx, "t", polarway.AtVersion(1), polarway.Columns("n"), polarway.Rows(10, 400_010)))
		if table.NumRows() != 400_000 {
			t.Error(table.NumRows())
		}
		table.Release()
	}
}

func TestALargeTableComesEncryptedAndWithItsTokenToo(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	ours := newAuthority(t)
	certificate, key := ours.sign(t, "127.0.0.1")
	own, ownKey := ours.sign(t, "client.example")
	server := polarwaytest.StartIn(t, t.TempDir(), []string{"POLARWAY_AUTH_TOKEN=a-secret"},
		"--tls-cert", certificate, "--tls-key", key, "--tls-ca", ours.file)
	proxy := polarwaytest.NewProxy(t, server.Address, -1, polarwaytest.Cut)
	client := clientOf(t, "https://"+proxy.Address, polarway.WithTLSFiles(ours.file, own, ownKey),
		polarway.WithToken("a-secret"), polarway.WithDirectBytes(1))
	value(client.Store(ctx, "t", numbers(t, manyRows)))
	before := proxy.Count()
	loadedWhole(t, client)
	if proxy.Connections() != 2 || proxy.Count()-before > 10<<20 {
		t.Errorf("%d connections, %d bytes", proxy.Connections(), proxy.Count()-before)
	}
}

func TestALargeTableWhoseConnectionsAreCutAtRandomBytesHasEachRowOnce(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	address := polarwaytest.Start(t)
	value(clientOf(t, address).Store(ctx, "t", numbers(t, manyRows)))
	random := rand.New(rand.NewPCG(5, 6))
	for range 16 {
		at := 2_000 + random.Int64N(4_000_000)
		proxy := polarwaytest.NewProxy(t, address, at, polarwaytest.Cut)
		loadedWhole(t, clientOf(t, proxy.Address, polarway.WithDirectBytes(1)))
		if proxy.Failures() != 1 {
			t.Errorf("cut at %d: %d failures", at, proxy.Failures())
		}
	}
}

func TestALargeTableComesFromAServerThatFallsSilent(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	address := polarwaytest.Start(t)
	value(clientOf(t, address).Store(ctx, "t", numbers(t, manyRows)))
	proxy := polarwaytest.NewProxy(t, address, 3_500_000, polarwaytest.Silent)
	began := time.Now()
	loadedWhole(t, clientOf(t, proxy.Address, polarway.WithDirectBytes(1)))
	if proxy.Failures() != 1 || time.Since(began) < 4*time.Second {
		t.Errorf("it was not silent: %d failures in %v", proxy.Failures(), time.Since(began))
	}
}

func TestAConnectionForALargeTableThatCanNotBeMadeIsNotTriedForEachLoad(t *testing.T) {
	polarwaytest.NoLeaks(t)
	address := polarwaytest.Start(t)
	value(clientOf(t, address).Store(polarwaytest.Context(t), "t", numbers(t, manyRows)))
	proxy := polarwaytest.NewProxy(t, address, -1, polarwaytest.Cut)
	client := clientOf(t, proxy.Address, polarway.WithDirectBytes(1))
	proxy.RefuseMore(polarwaytest.Cut)
	for range 3 {
		loadedWhole(t, client)
	}
	if proxy.Refused() != 1 || proxy.Connections() != 1 {
		t.Errorf("%d connections were refused, %d let through", proxy.Refused(), proxy.Connections())
	}
}

func TestALoadThatItsUserEndsKeepsNoOtherFromAConnectionOfItsOwn(t *testing.T) {
	polarwaytest.NoLeaks(t)
	address := polarwaytest.Start(t)
	value(clientOf(t, address).Store(polarwaytest.Context(t), "t", numbers(t, manyRows)))
	proxy := polarwaytest.NewProxy(t, address, -1, polarwaytest.Cut)
	client := clientOf(t, proxy.Address, polarway.WithDirectBytes(1))
	proxy.RefuseMore(polarwaytest.Silent)
	for count := range 2 {
		ctx, cancel := context.WithCancel(polarwaytest.Context(t))
		ended := make(chan error, 1)
		go func() {
			_, err := client.Load(ctx, "t")
			ended <- err
		}()
		for proxy.Refused() == count && len(ended) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
		if err := <-ended; !errors.Is(err, polarway.ErrCancelled) {
			t.Errorf("load %d: %v", count, err)
		}
	}
}

func TestNoConnectionAsksAProxyOfTheEnvironment(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	go func() {
		if connection, err := listener.Accept(); err == nil {
			_ = connection.Close()
			close(asked)
		}
	}()
	defer listener.Close()
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://"+listener.Addr().String())
	}
	t.Setenv("NO_PROXY", "")
	for _, target := range []string{"http://tables.invalid:50052", "https://tables.invalid:50052"} {
		_, err := polarway.Dial(polarwaytest.Context(t), target)
		refused(t, err, polarway.ErrUnavailable)
	}
	select {
	case <-asked:
		t.Error("the proxy was asked")
	default:
	}
}

func TestALargeLoadEndsWithItsContextAndWithItsClient(t *testing.T) {
	polarwaytest.NoLeaks(t)
	address := polarwaytest.Start(t)
	value(clientOf(t, address).Store(polarwaytest.Context(t), "t", numbers(t, manyRows)))
	for _, test := range []struct {
		kind error
		end  func(client *polarway.Client, cancel context.CancelFunc)
	}{
		{polarway.ErrCancelled, func(_ *polarway.Client, cancel context.CancelFunc) { cancel() }},
		{polarway.ErrClosed, func(client *polarway.Client, _ context.CancelFunc) { _ = client.Close() }},
	} {
		allocator := memory.NewCheckedAllocator(memory.DefaultAllocator)
		ctx, cancel := context.WithCancel(polarwaytest.Context(t))
		// It falls silent on the connection of the load.
		proxy := polarwaytest.NewProxy(t, address, 3_500_000, polarwaytest.Silent)
		client := clientOf(t, proxy.Address, polarway.WithDirectBytes(1), polarway.WithAllocator(allocator))
		ended := make(chan error, 1)
		go func() {
			_, err := client.Load(ctx, "t")
			ended <- err
		}()
		for proxy.Failures() == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		test.end(client, cancel)
		if err := <-ended; !errors.Is(err, test.kind) {
			t.Errorf("%v is not %v", err, test.kind)
		}
		cancel()
		allocator.AssertSize(t, 0)
	}
}
