package polarway

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/polarway/polarway/clients/go/internal/direct"
	"github.com/polarway/polarway/clients/go/internal/wire"
)

const (
	// The longest time to connect.
	connectTime = 5 * time.Second

	// How much a server may send of one stream before the client has taken it. What waits should stay in the processor's cache:
	// with 16 MiB a large load takes a sixth more of its time.
	streamWindow = 1 << 20
	// The same for all streams of a connection: one that nobody reads must not stop the others.
	connectionWindow = math.MaxInt32
)

// worker is a server of those that a client knows.
type worker struct {
	index      int
	address    address
	connection *grpc.ClientConn
	// direct is how to load large tables from it; nil if they come over the connection, too.
	direct *direct.Peer
}

// workers are the servers that a client knows. All of them serve the same tables; one is asked until it fails.
type workers struct {
	all     []*worker
	current atomic.Int64
}

func newWorkers(s *settings) (*workers, error) {
	found, err := addresses(s.targets, s.tls != nil)
	if err != nil {
		return nil, err
	}
	made := &workers{}
	for index, one := range found {
		if s.token != "" && !one.isSecure && !one.isThisMachine() {
			s.logger.Warn("polarway: the token is sent unencrypted: use https://", "host", one.host)
		}
		connection, err := connect(one, s)
		if err != nil {
			return nil, errors.Join(invalid("%s can't be used: %v", one.url(), err), made.close())
		}
		made.all = append(made.all, &worker{index, one, connection, directPeer(one, s)})
	}
	// Many clients with one list of workers should not all begin with the first.
	made.current.Store(int64(rand.IntN(len(made.all))))
	return made, nil
}

// connect makes a connection, which begins with its first call.
func connect(to address, s *settings) (*grpc.ClientConn, error) {
	security := insecure.NewCredentials()
	if to.isSecure {
		config := s.tls
		if config == nil {
			config = &tls.Config{}
		}
		security = credentials.NewTLS(config)
	}
	dialer := &net.Dialer{Timeout: connectTime}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		// The dialer finds the host's addresses anew each time, and asks no proxy that the environment names for the web.
		grpc.WithContextDialer(func(ctx context.Context, target string) (net.Conn, error) {
			connection, err := dialer.DialContext(ctx, "tcp", target)
			if err != nil || to.isSecure {
				return connection, err
			}
			return &plainConnection{Conn: connection}, nil
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			// The client has its own waits between tries.
			Backoff:           backoff.Config{BaseDelay: firstWait, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: connectTime,
		}),
		// A connection in use that is silent gets a ping.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: connectTime}),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithStaticStreamWindowSize(s.window),
		grpc.WithStaticConnWindowSize(connectionWindow),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(wire.Codec{}),
			// A chunk of a wide table may be large; the server limits its size.
			grpc.MaxCallRecvMsgSize(math.MaxInt32),
			grpc.MaxCallSendMsgSize(math.MaxInt32),
		),
	}
	return grpc.NewClient("passthrough:///"+to.String(), append(options, s.grpc...)...)
}

// pick returns the worker to ask now.
func (w *workers) pick() *worker {
	return w.all[w.current.Load()]
}

// passOver records that a worker failed: from now on the next one is asked, unless another call has changed the worker
// already.
func (w *workers) passOver(failed *worker) {
	w.current.CompareAndSwap(int64(failed.index), int64((failed.index+1)%len(w.all)))
}

func (w *workers) close() error {
	var all []error
	for _, one := range w.all {
		all = append(all, one.connection.Close())
	}
	return errors.Join(all...)
}
