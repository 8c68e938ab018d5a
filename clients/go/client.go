package polarway

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/health/grpc_health_v1"

	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
)

// Client is a client of one Polarway server, or of several workers over the same tables. Any number of goroutines may use
// it at the same time. [Dial] makes it.
type Client struct {
	workers   *workers
	timeout   time.Duration
	token     string
	allocator memory.Allocator
	logger    *slog.Logger

	// How many bytes of a load have to be left for a connection of their own.
	directBytes int

	isClosed atomic.Bool
	// open ends when the client is closed.
	open    context.Context
	endOpen context.CancelFunc
	// Whether a server of this protocol has answered.
	isGreeted atomic.Bool
	greeting  sync.Mutex
}

// Dial connects to a server, and checks that it and this client speak the same protocol. The target is a host and a port,
// such as "localhost:50052", or a URL, such as "https://tables.example:50052"; several, with commas between them, are workers
// over the same tables. An empty target is that of the environment's POLARWAY_URL, or this machine.
//
// The connection is not tried again, so that a wrong address is found at once. The context ends with the dialling: later
// calls have their own.
func Dial(ctx context.Context, target string, options ...Option) (*Client, error) {
	made, err := newSettings(target, options)
	if err != nil {
		return nil, err
	}
	known, err := newWorkers(made)
	if err != nil {
		return nil, err
	}
	client := &Client{
		workers:   known,
		timeout:   made.timeout,
		token:     made.token,
		allocator: made.allocator,
		logger:    made.logger,

		directBytes: made.directBytes,
	}
	client.open, client.endOpen = context.WithCancel(context.Background())
	if !made.isLazy {
		if err := client.greet(ctx); err != nil {
			_ = client.Close()
			return nil, err
		}
	}
	return client, nil
}

// URLs returns the servers that this client knows, such as "http://localhost:50052".
func (c *Client) URLs() []string {
	var all []string
	for _, one := range c.workers.all {
		all = append(all, one.address.url())
	}
	return all
}

// Close ends all calls and closes the connections. To close twice does nothing.
func (c *Client) Close() error {
	if c.isClosed.Swap(true) {
		return nil
	}
	c.endOpen()
	return c.workers.close()
}

// greet asks a server for the protocol that it speaks, before the first call. This is not tried again if no server can be
// reached.
func (c *Client) greet(ctx context.Context) error {
	if c.isClosed.Load() {
		return closed()
	}
	if c.isGreeted.Load() {
		return nil
	}
	c.greeting.Lock()
	defer c.greeting.Unlock()
	if c.isGreeted.Load() {
		return nil
	}
	var answer pb.GetServerInfoResponse
	err := c.newCall(callProbe, nil).run(ctx, func(ctx context.Context, attempt *attempt) error {
		return attempt.unary(ctx, pb.GetServerInfoMethod, &pb.GetServerInfoRequest{}, &answer)
	})
	if err != nil {
		return err
	}
	if err := checkRevision(&answer); err != nil {
		return err
	}
	c.isGreeted.Store(true)
	return nil
}

// HealthCheck asks whether a server serves. It tells that without a token, and whatever the protocol's revision.
func (c *Client) HealthCheck(ctx context.Context) error {
	if c.isClosed.Load() {
		return closed()
	}
	kind := callProbe
	if c.isGreeted.Load() {
		kind = callIdempotent
	}
	var answer grpc_health_v1.HealthCheckResponse
	request := &grpc_health_v1.HealthCheckRequest{Service: pb.Service}
	err := c.newCall(kind, nil).run(ctx, func(ctx context.Context, attempt *attempt) error {
		return attempt.unary(ctx, grpc_health_v1.Health_Check_FullMethodName, request, &answer)
	})
	if err != nil {
		return err
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return unreachable("the server says that it is %s", answer.GetStatus())
	}
	return nil
}

// clientVersion is the version of this client.
const clientVersion = "0.1.0"

// checkRevision compares the revisions of the protocol. It is only added to. A server may thus be newer than its clients, as
// far as it says; it may not be older: it would ignore what it does not know, and nobody would be told.
func checkRevision(server *pb.GetServerInfoResponse) error {
	revision, oldest := server.GetProtocolRevision(), server.GetOldestClientRevision()
	if revision < pb.ProtocolRevision {
		return protocolError("the server is older than this client: it is Polarway %s, which speaks revision %d of the protocol, "+
			"and this client is Polarway %s, which speaks revision %d. Upgrade the server, or use the client of its version",
			server.GetServerVersion(), revision, clientVersion, pb.ProtocolRevision)
	}
	if oldest > pb.ProtocolRevision {
		return protocolError("this client is older than the server allows: it is Polarway %s, which speaks revision %d of the "+
			"protocol, and the server, Polarway %s, takes revision %d and later. Upgrade the client to the server's version",
			clientVersion, pb.ProtocolRevision, server.GetServerVersion(), oldest)
	}
	return nil
}
