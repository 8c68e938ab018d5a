package polarway

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/polarway/polarway/clients/go/internal/wire"
)

// errLate ends a stream whose next message is late: gRPC's own wait for one has no time limit.
var errLate = errors.New("the next message is late")

// incoming is the stream of messages that a worker sends in one call.
type incoming struct {
	worker *worker
	stream grpc.ClientStream
	// ctx ends with the call, and its cause tells whether the watch has ended it.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// timer is the watch.
	timer *time.Timer
	// late is the error if the next message does not come in time.
	late   *Error
	isOpen bool
	// limit is how long the server may work on the call; zero if that is not limited.
	limit time.Duration
	// release frees what belongs to the context of the limit.
	release context.CancelFunc
}

// open makes a call with one message whose answer is a stream. The server ends it after the limit, if there is one.
func (a *attempt) open(ctx context.Context, method string, request proto.Message, limit time.Duration) (*incoming, error) {
	in := &incoming{worker: a.worker, limit: limit, release: func() {}}
	if limit > 0 {
		ctx, in.release = context.WithTimeout(ctx, limit)
	}
	in.ctx, in.cancel = context.WithCancelCause(ctx)
	left := a.call.tries.left()
	bound := min(opening, left)
	in.late = a.noAnswer("did not begin to answer", bound, left)
	in.timer = time.AfterFunc(bound, func() { in.cancel(errLate) })
	stream, err := a.worker.connection.NewStream(in.ctx, streamDescription, method)
	if err == nil {
		in.stream = stream
		if err = stream.SendMsg(request); err == nil {
			err = stream.CloseSend()
		} else if errors.Is(err, io.EOF) {
			// The stream has ended, and the first answer tells why.
			err = nil
		}
	}
	if err != nil {
		defer in.close()
		return nil, in.failure(err)
	}
	return in, nil
}

// next waits for the next message. The end of a call that succeeded is io.EOF.
func (in *incoming) next(message *wire.Received) error { return in.receive(message) }

// receive does the same for a message of any kind.
func (in *incoming) receive(message any) error {
	if in.isOpen {
		in.timer.Reset(silence)
	}
	err := in.stream.RecvMsg(message)
	in.timer.Stop()
	if errors.Is(err, io.EOF) {
		in.close()
		return io.EOF
	}
	if err != nil {
		defer in.close()
		return in.failure(err)
	}
	if !in.isOpen {
		in.isOpen = true
		in.late = unreachable("the server at %s has been silent for %v", in.worker.address, silence)
	}
	return nil
}

// failure is an error of the stream.
func (in *incoming) failure(err error) *Error {
	if errors.Is(context.Cause(in.ctx), errLate) {
		return in.late
	}
	failed := failureOf(err, in.worker.address)
	if failed.Reason == "" && failed.Code == codes.DeadlineExceeded && in.limit > 0 {
		// The client's own clock may tell sooner than the server.
		message := "the query took longer than its time limit of " + in.limit.String()
		return ofReason(codes.DeadlineExceeded, "DEADLINE_EXCEEDED", message, 0)
	}
	return failed
}

// close ends the call, so that the server stops its work. A call that is over stays as it is.
func (in *incoming) close() {
	in.timer.Stop()
	in.cancel(nil)
	in.release()
}
