package polarway

import (
	"context"
	"crypto/tls"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/polarway/polarway/clients/go/internal/direct"
	"github.com/polarway/polarway/clients/go/internal/wire"
)

// A large table comes over a connection of its own, in half the time: see the package direct. It begins over gRPC as any load, and
// where its first rows show that many bytes are left, it goes on directly, at the next row. If that fails, for whatever reason, it
// goes on over gRPC as after a connection that broke.

// directBytes is how many bytes have to be left for a connection of their own.
const directBytes = 32 << 20

// directPeer is how to make direct calls of a server. It is nil if the user has options of gRPC, which would not hold for them.
func directPeer(to address, s *settings) *direct.Peer {
	if len(s.grpc) > 0 {
		return nil
	}
	peer := &direct.Peer{Address: to.String(), ConnectTime: connectTime, Silence: silence, Window: uint32(s.window)}
	if to.isSecure {
		peer.TLS = s.tls
		if peer.TLS == nil {
			peer.TLS = &tls.Config{}
		}
	}
	return peer
}

// directStream is the answer to a direct call.
type directStream struct {
	stream  *direct.Stream
	release func()
}

// receiveDirectly makes a call over a connection of its own. It will bring about so many bytes.
func (a *attempt) receiveDirectly(
	ctx context.Context, method string, request proto.Message, firstRow uint64, bytes float64,
) (*receiver, error) {
	content, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	// The call ends with the client, too.
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.call.client.open, cancel)
	release := func() { stop(); cancel() }
	headers, _ := metadata.FromOutgoingContext(ctx)
	stream, err := a.worker.direct.Open(ctx, method, headers, content)
	if err != nil {
		release()
		return nil, err
	}
	made := a.receiver(&directStream{stream, release}, firstRow)
	if own, isGo := made.step.Allocator.(*memory.GoAllocator); isGo {
		made.step.Allocator = newSlab(own, int(min(bytes, slabBytes)))
	}
	return made, nil
}

func (d *directStream) next(message *wire.Received) error { return d.stream.Next(message) }

func (d *directStream) close() {
	d.stream.Close()
	d.release()
}
