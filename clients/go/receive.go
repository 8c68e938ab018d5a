package polarway

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"google.golang.org/protobuf/proto"

	"github.com/polarway/polarway/clients/go/internal/ipcstream"
	"github.com/polarway/polarway/clients/go/internal/wire"
)

// messages is where the messages of an answer come from.
type messages interface {
	// next waits for the next message. The end of a call that succeeded is io.EOF.
	next(message *wire.Received) error
	// close ends the call, so that the server stops its work.
	close()
}

// receiver is the stream of rows that one try of a call receives from a worker. It checks the order of the chunks, and
// notices silence and breaks.
type receiver struct {
	incoming   messages
	step       wire.Received
	decoder    *ipcstream.Decoder
	isComplete bool
	// nextRow is the number of the row that comes next.
	nextRow uint64
	// rowBytes is how long a row of the last chunk with rows is; zero before the first.
	rowBytes float64
}

func (a *attempt) receive(
	ctx context.Context, method string, request proto.Message, firstRow uint64, limit time.Duration,
) (*receiver, error) {
	stream, err := a.open(ctx, method, request, limit)
	if err != nil {
		return nil, err
	}
	return a.receiver(stream, firstRow), nil
}

func (a *attempt) receiver(from messages, firstRow uint64) *receiver {
	allocator := a.call.client.allocator
	made := &receiver{incoming: from, decoder: ipcstream.NewDecoder(allocator), nextRow: firstRow}
	made.step.Allocator = allocator
	return made
}

// next waits for the next step, which is in r.step. The end of a complete table is io.EOF.
func (r *receiver) next() error {
	err := r.incoming.next(&r.step)
	if errors.Is(err, io.EOF) && !r.isComplete {
		return unreachable("the stream ended in the middle of the table")
	}
	return err
}

// batches takes the chunk of the step, if it has one.
func (r *receiver) batches() ([]arrow.RecordBatch, error) {
	chunk := r.step.Ipc
	if chunk == nil {
		return nil, nil
	}
	r.step.Ipc = nil
	if r.step.FirstRow != r.nextRow {
		chunk.Release()
		return nil, protocolError("the server sent row %d where row %d comes next", r.step.FirstRow, r.nextRow)
	}
	if r.step.Rows > 0 {
		r.rowBytes = float64(chunk.Len()) / float64(r.step.Rows)
	}
	batches, err := r.decoder.Batches(chunk, r.step.Rows)
	if err != nil {
		return nil, protocolError("what the server sent is no table: %v", err)
	}
	r.nextRow += r.step.Rows
	r.isComplete = r.decoder.IsEnded()
	return batches, nil
}

// rest reads the fields of the step that are not its chunk.
func (r *receiver) rest(into proto.Message) error {
	if len(r.step.Rest) == 0 {
		return nil
	}
	if err := proto.Unmarshal(r.step.Rest, into); err != nil {
		return protocolError("what the server sent is no message of this protocol")
	}
	return nil
}

// close ends the call, so that the server stops its work, and frees what was not read.
func (r *receiver) close() {
	r.incoming.close()
	r.step.Release()
	r.decoder.Release()
}

// queue has the batches that have arrived and were not taken.
type queue []arrow.RecordBatch

// next takes the first batch, which is the caller's. While there is none, more brings some, and tells whether there may be
// others; io.EOF behind the last.
func (q *queue) next(more func() (bool, error)) (arrow.RecordBatch, error) {
	for len(*q) == 0 {
		isMore, err := more()
		if err != nil {
			return nil, err
		}
		if !isMore {
			return nil, io.EOF
		}
	}
	batch := (*q)[0]
	(*q)[0] = nil
	*q = (*q)[1:]
	return batch, nil
}

// release frees the batches.
func (q *queue) release() {
	for _, batch := range *q {
		batch.Release()
	}
	*q = nil
}
