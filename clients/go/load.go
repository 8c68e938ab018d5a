package polarway

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"google.golang.org/protobuf/proto"

	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
	"github.com/polarway/polarway/clients/go/internal/rows"
)

// LoadOption says which version, columns and rows to load.
type LoadOption func(*selection)

// selection is what to load.
type selection struct {
	at *pb.At
	// By their names, in their order; nil is all.
	columns  []string
	firstRow uint64
	// The row behind the last one; nil is the table's end.
	endRow *uint64
	err    error
}

// AtVersion loads the version with this number, in place of the newest.
func AtVersion(version uint64) LoadOption {
	return func(s *selection) { s.setAt(&pb.At{At: &pb.At_Version{Version: version}}) }
}

// AsOf loads the version that was the newest at this time.
func AsOf(time time.Time) LoadOption {
	return func(s *selection) { s.setAt(&pb.At{At: &pb.At_AsOfUs{AsOfUs: time.UnixMicro()}}) }
}

// Columns loads these columns, in this order; the others are not sent.
func Columns(names ...string) LoadOption {
	return func(s *selection) {
		if len(names) == 0 {
			// On the wire no columns are all.
			s.refuse(invalid("a load needs one column at least: name some, or leave the option out for all"))
		}
		s.columns = slices.Clone(names)
	}
}

// Rows loads the rows from first on, counted from 0, up to the one before end. An end behind that of the table is the
// table's end.
func Rows(first, end uint64) LoadOption {
	return func(s *selection) {
		if end < first {
			s.refuse(invalid("rows from %d to %d are no rows to load: the end comes before the first", first, end))
		}
		s.firstRow, s.endRow = first, &end
	}
}

func (s *selection) setAt(at *pb.At) {
	if s.at != nil {
		s.refuse(invalid("several versions or times are given: leave all but one out"))
	}
	s.at = at
}

func (s *selection) refuse(err error) {
	if s.err == nil {
		s.err = err
	}
}

func selectionOf(options []LoadOption) (*selection, error) {
	made := &selection{}
	for _, option := range options {
		option(made)
	}
	return made, made.err
}

// loading is a load that runs: its batches one after the other, whatever happens to connections meanwhile.
type loading struct {
	call      *call
	name      string
	selection *selection
	header    *pb.LoadHeader
	columns   *arrow.Schema
	receiver  *receiver
	nextRow   uint64
	// endRow is the row behind the last, once that is known.
	endRow uint64
	ready  queue
	path   path
	// left is about how many bytes there were to load when a connection of their own was chosen for them.
	left float64
}

// path is the way that the rows of a load take.
type path int

const (
	// pathShared is the connection of all calls.
	pathShared path = iota
	// pathOpen is the same, until it is known that many bytes are left.
	pathOpen
	// pathDirect is a connection of its own. Any failure there leads back to the first.
	pathDirect
)

// beginLoading opens the stream, and waits until the server has said which version it sends.
func (c *Client) beginLoading(ctx context.Context, name string, options []LoadOption) (*loading, error) {
	selected, err := selectionOf(options)
	if err != nil {
		return nil, err
	}
	if err := c.greet(ctx); err != nil {
		return nil, err
	}
	made := &loading{call: c.newCall(callIdempotent, nil), name: name, selection: selected, nextRow: selected.firstRow}
	if err := made.call.run(ctx, made.tryBegin); err != nil {
		return nil, err
	}
	return made, nil
}

func (l *loading) schema() *arrow.Schema { return l.columns }

// next returns the next batch, which is the caller's; io.EOF behind the last.
func (l *loading) next(ctx context.Context) (arrow.RecordBatch, error) {
	return l.ready.next(func() (isMore bool, err error) {
		err = l.call.run(ctx, func(ctx context.Context, attempt *attempt) (err error) {
			isMore, err = l.tryNext(ctx, attempt)
			return err
		})
		return isMore, err
	})
}

// close ends the call, so that the server stops its work. Batches that were taken stay usable.
func (l *loading) close() {
	if l.receiver != nil {
		l.receiver.close()
		l.receiver = nil
	}
	l.ready.release()
}

func (l *loading) tryBegin(ctx context.Context, attempt *attempt) (err error) {
	receiver, err := l.open(ctx, attempt, l.selection.at)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			l.receiver = nil
			receiver.close()
		}
	}()
	for {
		if err := receiver.next(); err != nil {
			return notEOF(err, "a load ended before it began")
		}
		if receiver.step.HasNothing() {
			attempt.call.tries.going()
			continue
		}
		header, err := headerOf(receiver)
		if err != nil {
			return err
		}
		if header == nil || receiver.step.Ipc == nil {
			return protocolError("a load began without its header or without its schema")
		}
		l.header = header
		l.endRow = header.GetRows()
		if l.selection.endRow != nil {
			l.endRow = min(*l.selection.endRow, l.endRow)
		}
		if err := l.take(receiver); err != nil {
			return err
		}
		l.receiver = receiver
		attempt.call.tries.progress()
		return nil
	}
}

// tryNext takes one message, and tells whether there may be more. It is called when no batch is ready, so that a stream
// that broke goes on at the next row.
func (l *loading) tryNext(ctx context.Context, attempt *attempt) (isMore bool, err error) {
	receiver := l.receiver
	l.receiver = nil
	isResumed := receiver == nil
	defer func() {
		if err != nil && isResumed && l.isOfChangedFiles(err) {
			err = l.changed()
		}
	}()
	if receiver == nil {
		if receiver, err = l.resume(ctx, attempt); err != nil {
			return false, err
		}
	}
	defer func() {
		if err != nil || !isMore {
			receiver.close()
		}
	}()
	if err := receiver.next(); errors.Is(err, io.EOF) {
		if receiver.nextRow != l.endRow {
			return false, protocolError("the load ended after %d of %d rows", receiver.nextRow, l.endRow)
		}
		return false, nil
	} else if err != nil && l.path == pathDirect {
		// If the server refuses the load, it tells why over gRPC.
		l.leaveDirect(ctx, attempt, err, receiver.rowBytes > 0)
		receiver.close()
		return true, nil
	} else if err != nil {
		return false, err
	}
	header, err := headerOf(receiver)
	if err != nil {
		return false, err
	}
	if header != nil && !proto.Equal(header, l.header) {
		return false, l.changed()
	}
	if receiver.step.HasNothing() {
		attempt.call.tries.going()
	} else {
		if err := l.take(receiver); err != nil {
			return false, err
		}
		attempt.call.tries.progress()
	}
	if l.path == pathOpen {
		if l.left = l.bytesLeft(attempt, receiver); l.left >= float64(attempt.call.client.directBytes) {
			l.path = pathDirect
			receiver.close()
			return true, nil
		}
	}
	l.receiver = receiver
	return true, nil
}

// changed is why a load does not go on. Files that Polarway did not write may change between two tries, without a new version. The user
// has rows already.
func (l *loading) changed() error {
	failed := ofReason(0, "CHANGED", "the files of "+quoted(l.name)+" changed while they were read: load it again", 0)
	failed.Code, failed.isFinal = pb.Reasons["CHANGED"].Code, true
	return failed
}

// isOfChangedFiles tells whether rows or columns are missing that were there when the load began: those of a version don't change.
func (l *loading) isOfChangedFiles(err error) bool {
	var failed *Error
	return l.header.GetVersion() == 0 && errors.As(err, &failed) &&
		(failed.Reason == "INVALID_INPUT" || failed.Reason == "UNKNOWN_COLUMN")
}

// bytesLeft is about how many bytes are left of the load, by the last rows that came; zero if a connection of their own can't bring
// them. Files without versions may change while the load moves.
func (l *loading) bytesLeft(attempt *attempt, receiver *receiver) float64 {
	if peer := attempt.worker.direct; peer == nil || peer.IsAvoided() || l.header.GetVersion() == 0 {
		return 0
	}
	return receiver.rowBytes * float64(l.endRow-l.nextRow)
}

// resume opens the stream anew, at the row that comes next.
func (l *loading) resume(ctx context.Context, attempt *attempt) (*receiver, error) {
	at := &pb.At{At: &pb.At_Version{Version: l.header.GetVersion()}}
	if l.path == pathDirect {
		receiver, err := attempt.receiveDirectly(ctx, pb.LoadMethod, l.request(at), l.nextRow, l.left)
		if err == nil {
			return receiver, nil
		}
		l.leaveDirect(ctx, attempt, err, false)
	}
	return l.open(ctx, attempt, at)
}

// leaveDirect goes on over gRPC after a failure of the connection of its own, which has brought rows or none.
func (l *loading) leaveDirect(ctx context.Context, attempt *attempt, err error, hasRows bool) {
	l.path = pathShared
	if !hasRows && ctx.Err() == nil {
		attempt.worker.direct.Avoid()
	}
	attempt.call.client.logger.DebugContext(ctx, "polarway: the load goes on over gRPC", "error", err, "id", attempt.call.id)
}

// take takes the rows of a step.
func (l *loading) take(receiver *receiver) error {
	batches, err := receiver.batches()
	if err != nil {
		return err
	}
	l.ready = append(l.ready, batches...)
	if err := l.check(receiver); err != nil {
		l.ready.release()
		return err
	}
	l.nextRow = receiver.nextRow
	return nil
}

func (l *loading) check(receiver *receiver) error {
	if receiver.nextRow > l.endRow {
		return protocolError("the server sent other rows than were asked for: it is older than this client; upgrade it")
	}
	schema := receiver.decoder.Schema()
	if l.columns == schema || schema == nil {
		return nil
	}
	if l.columns != nil && !sameSchema(l.columns, schema) {
		return protocolError("the server sent other columns after the connection broke than before")
	}
	if l.columns == nil && l.selection.columns != nil && !slices.Equal(l.selection.columns, rows.Names(schema)) {
		return protocolError("the server sent other columns than were asked for: it is older than this client; upgrade it")
	}
	if l.columns == nil {
		l.columns = schema
	}
	return nil
}

func (l *loading) open(ctx context.Context, attempt *attempt, at *pb.At) (*receiver, error) {
	return attempt.receive(ctx, pb.LoadMethod, l.request(at), l.nextRow, 0)
}

func (l *loading) request(at *pb.At) *pb.LoadRequest {
	return &pb.LoadRequest{
		Name:     l.name,
		At:       at,
		FirstRow: l.nextRow,
		Columns:  l.selection.columns,
		EndRow:   l.selection.endRow,
	}
}

// headerOf reads the header of the receiver's step; nil if it has none.
func headerOf(receiver *receiver) (*pb.LoadHeader, error) {
	var message pb.LoadResponse
	err := receiver.rest(&message)
	return message.GetHeader(), err
}

// notEOF is an error, or one that says that the stream ended where it can't end.
func notEOF(err error, message string) error {
	if errors.Is(err, io.EOF) {
		return protocolError("%s", message)
	}
	return err
}

func sameSchema(a, b *arrow.Schema) bool {
	return a.Equal(b) && a.Metadata().Equal(b.Metadata())
}

// Load loads a dataset, or a handle by its id. The table is the caller's, who releases it. A large table comes over a connection that is
// made for it.
func (c *Client) Load(ctx context.Context, name string, options ...LoadOption) (*Table, error) {
	loading, err := c.beginLoading(ctx, name, options)
	if err != nil {
		return nil, err
	}
	defer loading.close()
	loading.path = pathOpen
	return gather(ctx, loading)
}
