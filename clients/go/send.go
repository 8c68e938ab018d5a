package polarway

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/polarway/polarway/clients/go/internal/ipcstream"
	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
	"github.com/polarway/polarway/clients/go/internal/wire"
)

// A worker that receives nothing for a while takes the client for dead.
const heartbeat = time.Second

// How many parts may wait to be sent.
const waitingParts = 2

var uploadDescription = &grpc.StreamDesc{ClientStreams: true}

// send sends all tables, and receives what became of each.
func (a *attempt) send(ctx context.Context, tables []*table) (*pb.StoreResponse, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	out := &upstream{attempt: a, ctx: ctx, cancel: cancel, began: time.Now()}
	parts := make(chan part, waitingParts)
	encoded := make(chan struct{})
	isInMemory := true
	for _, table := range tables {
		isInMemory = isInMemory && table.source.isInMemory
	}
	// The encoder has a list of its own: this may return while a reader still reads.
	encoder := &encoding{ctx, slices.Clone(tables), parts}
	go func() {
		defer close(encoded)
		encoder.run()
	}()
	defer func() {
		// A call that is over stays as it is.
		cancel(nil)
		if isInMemory {
			<-encoded
		}
	}()
	if err := out.open(); err != nil {
		return nil, err
	}
	if err := out.sendAll(parts); err != nil {
		return nil, err
	}
	return out.answer()
}

// upstream is the stream of messages that a client sends in one call.
type upstream struct {
	attempt *attempt
	ctx     context.Context
	cancel  context.CancelCauseFunc
	stream  grpc.ClientStream
	began   time.Time
}

// bounded does something that may wait for the server, and ends the call if that takes too long.
func (u *upstream) bounded(bound time.Duration, what string, do func() error) error {
	timer := time.AfterFunc(bound, func() { u.cancel(errLate) })
	err := do()
	timer.Stop()
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if errors.Is(context.Cause(u.ctx), errLate) {
		return unreachable("the server at %s %s for %v", u.attempt.worker.address, what, bound)
	}
	return failureOf(err, u.attempt.worker.address)
}

func (u *upstream) open() error {
	return u.bounded(min(opening, u.attempt.call.tries.left()), "did not begin to answer", func() (err error) {
		u.stream, err = u.attempt.worker.connection.NewStream(u.ctx, uploadDescription, pb.StoreMethod)
		return err
	})
}

// sendAll sends parts until all are sent, or the worker has answered early.
func (u *upstream) sendAll(parts <-chan part) error {
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	for {
		var message any
		timer.Reset(heartbeat)
		select {
		case part, isMore := <-parts:
			if !isMore {
				return nil
			}
			if part.err != nil {
				return part.err
			}
			message = part.message
		case <-timer.C:
			// The worker hears each second that there will be another part.
			message = &pb.StoreRequest{}
		case <-u.ctx.Done():
			return failureOf(u.ctx.Err(), u.attempt.worker.address)
		}
		err := u.bounded(u.attempt.call.tries.timeout, "took no more of the upload", func() error {
			return u.stream.SendMsg(message)
		})
		if errors.Is(err, io.EOF) {
			// The worker has answered early, or the call failed: the answer tells.
			return nil
		}
		if err != nil {
			return err
		}
		u.attempt.call.tries.going()
	}
}

func (u *upstream) answer() (*pb.StoreResponse, error) {
	timeout := u.attempt.call.tries.timeout
	// To write may take as long as to send.
	bound := min(timeout, max(u.attempt.call.patience, time.Since(u.began)))
	answer := &pb.StoreResponse{}
	err := u.bounded(bound, "did not say what became of the upload", func() error {
		if err := u.stream.CloseSend(); err != nil {
			return err
		}
		return u.stream.RecvMsg(answer)
	})
	if errors.Is(err, io.EOF) {
		return nil, unreachable("the server did not say what it stored")
	}
	return answer, err
}

// part is a message of an upload, or the error in its place.
type part struct {
	message any
	err     error
}

// encoding makes the messages of an upload, on a goroutine of its own.
type encoding struct {
	ctx    context.Context
	tables []*table
	parts  chan<- part
}

func (e *encoding) run() {
	defer close(e.parts)
	for index, table := range e.tables {
		if err := e.table(table, index+1 == len(e.tables)); err != nil {
			_ = e.put(part{err: err})
			return
		}
	}
}

// put hands a part over, unless nobody wants it any more.
func (e *encoding) put(one part) error {
	select {
	case e.parts <- one:
		return nil
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

func (e *encoding) table(one *table, isLast bool) error {
	header := proto.Clone(one.header).(*pb.StoreHeader)
	header.Last = isLast
	if err := e.put(part{message: &pb.StoreRequest{Part: &pb.StoreRequest_Header{Header: header}}}); err != nil {
		return err
	}
	reader, err := one.source.open()
	if err != nil {
		return sourceError(one, err)
	}
	if reader == nil {
		return invalid("%q: the function opened no reader", one.header.GetName())
	}
	defer reader.Release()
	checksum := uint32(0)
	var stopped error
	encoder := ipcstream.NewEncoder(reader.Schema(), memory.DefaultAllocator, func(chunk ipcstream.Chunk) error {
		checksum = crc32.Update(checksum, crc32.IEEETable, chunk.IPC)
		message := &wire.SentChunk{Ipc: mem.SliceBuffer(chunk.IPC), FirstRow: chunk.FirstRow, Rows: chunk.Rows}
		stopped = e.put(part{message: message})
		return stopped
	})
	defer encoder.Release()
	refused := func(err error) error {
		if stopped != nil {
			return stopped
		}
		return invalid("%q: %v", one.header.GetName(), err)
	}
	for reader.Next() {
		// Batches that are small or empty make no part for a while.
		if err := e.ctx.Err(); err != nil {
			return err
		}
		if err := encoder.Encode(reader.RecordBatch()); err != nil {
			return refused(err)
		}
	}
	if err := reader.Err(); err != nil {
		return sourceError(one, err)
	}
	if err := encoder.Finish(); err != nil {
		return refused(err)
	}
	trailer := &pb.StoreTrailer{Rows: encoder.NextRow(), Crc32: checksum}
	return e.put(part{message: &pb.StoreRequest{Part: &pb.StoreRequest_Trailer{Trailer: trailer}}})
}

// sourceError is an error of the user's own code, which reads the rows.
func sourceError(one *table, err error) *Error {
	return &Error{
		Code:    codes.Aborted,
		Message: fmt.Sprintf("%q: the rows can't be read: %v", one.header.GetName(), err),
		cause:   err,
	}
}
