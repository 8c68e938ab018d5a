package polarway

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
)

// defaultTimeout is a client's timeout unless another is given.
const defaultTimeout = 30 * time.Second

// Option changes how a client connects and makes its calls. It is given to [Dial].
type Option func(*settings) error

// settings are what the options of a client say.
type settings struct {
	targets   []string
	timeout   time.Duration
	token     string
	tls       *tls.Config
	allocator memory.Allocator
	logger    *slog.Logger
	isLazy    bool
	window    int32
	grpc      []grpc.DialOption

	directBytes int
}

func newSettings(target string, options []Option) (*settings, error) {
	made := &settings{
		targets:   []string{target},
		timeout:   defaultTimeout,
		token:     os.Getenv(tokenVariable),
		allocator: memory.DefaultAllocator,
		logger:    slog.Default(),
		window:    streamWindow,

		directBytes: directBytes,
	}
	for _, option := range options {
		if err := option(made); err != nil {
			return nil, err
		}
	}
	if err := checkToken(made.token); err != nil {
		return nil, err
	}
	return made, nil
}

// WithTimeout sets how long a call may take, with all its tries; for a stream, how long it may deliver nothing new. The
// default is 30 seconds. The deadline of a call's context holds as well.
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) error {
		if timeout <= 0 {
			return invalid("%v is no timeout: give the time that a call may take", timeout)
		}
		s.timeout = timeout
		return nil
	}
}

// WithToken sets the token that the servers require. The default is the environment's POLARWAY_AUTH_TOKEN. Without TLS,
// anybody on the network between this client and a server can read it.
func WithToken(token string) Option {
	return func(s *settings) error {
		if token == "" {
			return invalid("the token is empty")
		}
		s.token = token
		return nil
	}
}

// WithEndpoints adds servers, which are workers over the same tables: if one does not answer, the next is asked.
func WithEndpoints(targets ...string) Option {
	return func(s *settings) error {
		for _, target := range targets {
			if target == "" {
				return invalid("an endpoint is empty: give a host and a port, or a URL such as %s", defaultURL)
			}
		}
		s.targets = append(s.targets, targets...)
		return nil
	}
}

// WithTLS sets which CAs to trust and the client's certificate, for `https://` servers. A server that is named without a
// scheme then uses TLS. The default trusts the CAs of this system.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) error {
		if config == nil {
			return invalid("the TLS configuration is nil")
		}
		s.tls = config.Clone()
		return nil
	}
}

// WithTLSFiles reads the same from PEM files: the CAs that may have signed the servers' certificates, or "" for those of
// this system, and the certificate and the key of this client, or "" for none.
func WithTLSFiles(ca, certificate, key string) Option {
	return func(s *settings) error {
		config := &tls.Config{}
		if ca != "" {
			content, err := os.ReadFile(ca)
			if err != nil {
				return invalid("the CAs can't be read: %v", err)
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(content) {
				return invalid("%s has no certificate in PEM form", ca)
			}
		}
		if certificate != "" || key != "" {
			if certificate == "" || key == "" {
				return invalid("a client's certificate and its key belong together: give both files")
			}
			pair, err := tls.LoadX509KeyPair(certificate, key)
			if err != nil {
				return invalid("the client's certificate %s and key %s can't be used: %v", certificate, key, err)
			}
			config.Certificates = []tls.Certificate{pair}
		}
		s.tls = config
		return nil
	}
}

// WithAllocator sets where the buffers of tables that arrive are allocated. The default is Go's memory.
func WithAllocator(allocator memory.Allocator) Option {
	return func(s *settings) error {
		if allocator == nil {
			return invalid("the allocator is nil")
		}
		s.allocator = allocator
		return nil
	}
}

// WithLogger sets where the client logs tries that failed, at the level debug, and warnings. The default is
// [slog.Default].
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) error {
		if logger == nil {
			return invalid("the logger is nil")
		}
		s.logger = logger
		return nil
	}
}

// WithLazyConnection lets [Dial] return at once: the client connects with its first call.
func WithLazyConnection() Option {
	return func(s *settings) error {
		s.isLazy = true
		return nil
	}
}

// WithStreamWindow sets how many bytes of a load or of a query may be on their way to the client, from 64 KiB on. The default, 1 MiB,
// suits networks whose round trips take less than a millisecond. With it, a stream delivers at most 1 MiB for each round trip.
func WithStreamWindow(bytes int) Option {
	return func(s *settings) error {
		if bytes < 64<<10 || bytes > math.MaxInt32 {
			return invalid("%d bytes are no window of a stream: give 64 KiB at least, and less than 2 GiB", bytes)
		}
		s.window = int32(bytes)
		return nil
	}
}

// WithGRPCOptions adds options of gRPC to every connection, such as a stats handler that records traces. With any, [Client.Load] does not
// open connections of its own for large tables, where such options would not hold, and takes longer.
func WithGRPCOptions(options ...grpc.DialOption) Option {
	return func(s *settings) error {
		s.grpc = append(s.grpc, options...)
		return nil
	}
}
