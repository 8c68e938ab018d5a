package polarway

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/google/uuid"

	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
)

// StoreOption changes a store or an append.
type StoreOption interface {
	toStore(*pb.StoreHeader) error
}

// DeleteOption changes a deletion.
type DeleteOption interface {
	toDelete(*pb.DeleteDatasetRequest) error
}

// VersionCondition is an option of all writes: [ExpectVersion].
type VersionCondition struct{ version uint64 }

// ExpectVersion refuses a write unless the dataset is at this version; 0 is one that was never written.
func ExpectVersion(version uint64) VersionCondition { return VersionCondition{version} }

func (c VersionCondition) toStore(header *pb.StoreHeader) error {
	header.ExpectedVersion = &c.version
	return nil
}

func (c VersionCondition) toDelete(request *pb.DeleteDatasetRequest) error {
	request.ExpectedVersion = &c.version
	return nil
}

// WriteName is an option of all writes: [RequestID].
type WriteName struct{ id uuid.UUID }

// RequestID names a write by the program's own UUID of version 7: a program that was stopped can make the same write again within ten
// minutes, and is answered with the version that the first one made. By default each call has an id of its own.
func RequestID(id uuid.UUID) WriteName { return WriteName{id} }

func (n WriteName) toStore(header *pb.StoreHeader) (err error) {
	header.RequestId, err = n.text()
	return err
}

func (n WriteName) toDelete(request *pb.DeleteDatasetRequest) (err error) {
	request.RequestId, err = n.text()
	return err
}

// text is the id of the only table of the write. The server reads the time in it.
func (n WriteName) text() (string, error) {
	if n.id.Version() != 7 {
		return "", invalid("%v is no UUID of version 7: uuid.NewV7 gives one", n.id)
	}
	return requestID(n.id).ofTable(0), nil
}

type creation struct{}

// CreateOnly refuses a store if the dataset exists.
func CreateOnly() StoreOption { return creation{} }

func (creation) toStore(header *pb.StoreHeader) error {
	header.Mode = pb.WriteMode_WRITE_MODE_CREATE
	return nil
}

// Store stores a table under a name, in place of the dataset's rows. It is on the server's stable storage when this returns.
// The rows that it replaces stay readable as an older version.
//
// The records are one of these:
//
//   - an [arrow.RecordBatch], or a slice of them;
//   - an [arrow.Table], such as a [*Table];
//   - a slice of structs or of pointers to structs, whose exported fields are the columns;
//   - a func() (array.RecordReader, error), which opens the rows again for each try;
//   - an [array.RecordReader]. If it has more than 64 MiB, an upload that breaks can't be made again.
//
// A reader is read on a goroutine of its own, in bounded memory, while its rows are sent. If the context ends while its Next
// waits, Store returns, and the reader is released when Next does.
//
// A field of a struct is a column under its name, or the name in its tag: `polarway:"dep_delay"`; the tag "-" leaves it out.
// Pointers, byte slices, slices and maps may be nil, which is NULL. A [time.Time] is a timestamp in UTC, in nanoseconds or in
// the unit in the tag, such as `polarway:",us"`, in which a fraction is cut off. A [time.Duration] is a duration.
func (c *Client) Store(ctx context.Context, name string, records any, options ...StoreOption) (Published, error) {
	return c.storeOne(ctx, name, records, pb.WriteMode_WRITE_MODE_OVERWRITE, options)
}

// Append adds a table's rows to a dataset that exists. Columns are matched by name. Narrower types are widened if no value can
// change. The records are those of [Client.Store]. The version that is returned has the rows of the whole dataset.
func (c *Client) Append(ctx context.Context, name string, records any, options ...StoreOption) (Published, error) {
	for _, option := range options {
		if option == CreateOnly() {
			return Published{}, invalid("an append adds rows to a dataset that exists: leave CreateOnly out")
		}
	}
	return c.storeOne(ctx, name, records, pb.WriteMode_WRITE_MODE_APPEND, options)
}

func (c *Client) storeOne(
	ctx context.Context, name string, records any, mode pb.WriteMode, options []StoreOption,
) (Published, error) {
	header := &pb.StoreHeader{Name: name, Mode: mode}
	for _, option := range options {
		if err := option.toStore(header); err != nil {
			return Published{}, err
		}
	}
	results, err := c.upload(ctx, []*pb.StoreHeader{header}, []any{records})
	if err != nil {
		return Published{}, err
	}
	if results[0].failed != nil {
		return Published{}, results[0].failed
	}
	return results[0].published, nil
}

// StoreBatch stores several tables in one call, each as [Client.Store] does, by the names of their datasets. One that fails
// does not undo another: if some are not stored, the error is a [*BatchError], which has the error of each.
func (c *Client) StoreBatch(ctx context.Context, tables map[string]any) (map[string]Published, error) {
	var headers []*pb.StoreHeader
	var records []any
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		headers = append(headers, &pb.StoreHeader{Name: name, Mode: pb.WriteMode_WRITE_MODE_OVERWRITE})
		records = append(records, tables[name])
	}
	results, err := c.upload(ctx, headers, records)
	if err != nil {
		return nil, err
	}
	batch := &BatchError{Published: map[string]Published{}, Errors: map[string]*Error{}}
	for index, header := range headers {
		if results[index].failed != nil {
			batch.Errors[header.GetName()] = results[index].failed
		} else {
			batch.Published[header.GetName()] = results[index].published
		}
	}
	if len(batch.Errors) > 0 {
		return batch.Published, batch
	}
	return batch.Published, nil
}

// uploaded is what became of a table.
type uploaded struct {
	published Published
	failed    *Error
}

// upload sends tables until each has a result. An upload that breaks is made again with the same ids, so that nothing is
// written twice. The error is that of a call that was not made, or that failed for all tables.
func (c *Client) upload(ctx context.Context, headers []*pb.StoreHeader, records []any) ([]uploaded, error) {
	work := &upload{results: make([]uploaded, len(headers))}
	defer func() {
		for _, table := range work.waiting {
			table.source.release()
		}
	}()
	id, err := freshRequestID()
	if err != nil {
		return nil, err
	}
	for ordinal, header := range headers {
		source, err := outgoingOf(records[ordinal])
		var bad *Error
		if errors.As(err, &bad) {
			bad.Message = quoted(header.GetName()) + ": " + bad.Message
			return nil, bad
		}
		if header.GetRequestId() == "" {
			header.RequestId = id.ofTable(ordinal)
		}
		work.waiting = append(work.waiting, &table{ordinal, header, source})
	}
	if len(headers) == 0 {
		return nil, nil
	}
	if err := c.greet(ctx); err != nil {
		return nil, err
	}
	call := c.newCall(callIdempotent, nil)
	if err := call.run(ctx, work.try); err != nil {
		if len(work.waiting) == len(headers) {
			return nil, err
		}
		for _, table := range work.waiting {
			work.results[table.ordinal].failed = err.(*Error)
		}
	}
	for index := range work.results {
		if failed := work.results[index].failed; failed != nil && failed.RequestID == "" {
			failed.RequestID = call.id
		}
	}
	return work.results, nil
}

// table is a table to send, and where it goes.
type table struct {
	// ordinal is its position in the user's call.
	ordinal int
	header  *pb.StoreHeader
	source  *outgoing
}

// upload has the tables that are being sent, and the results of those that have arrived.
type upload struct {
	waiting []*table
	results []uploaded
}

// try sends the tables that have no result yet.
func (u *upload) try(ctx context.Context, attempt *attempt) error {
	answer, err := attempt.send(ctx, u.waiting)
	if err == nil {
		err = u.sortOut(answer.GetResults())
	}
	var failed *Error
	if errors.As(err, &failed) && failed.Retryable {
		for _, table := range u.waiting {
			if !table.source.isRepeatable() {
				final := *failed
				final.isFinal = true
				final.Message += "; the rows of " + quoted(table.header.GetName()) + " can be read only once, so they are not sent again"
				return &final
			}
		}
	}
	return err
}

// sortOut takes the result of each table. Tables whose failure may pass wait for the next try.
func (u *upload) sortOut(results []*pb.StoreResult) error {
	if len(results) != len(u.waiting) {
		return protocolError("the server gave %d results for %d tables", len(results), len(u.waiting))
	}
	var passing *Error
	var still []*table
	for index, table := range u.waiting {
		switch outcome := results[index].GetOutcome().(type) {
		case *pb.StoreResult_Published:
			u.results[table.ordinal].published = publishedOf(outcome.Published)
		case *pb.StoreResult_Failure:
			failed := ofPart(outcome.Failure)
			if failed.Retryable {
				passing = failed
				still = append(still, table)
				continue
			}
			u.results[table.ordinal].failed = failed
		default:
			u.results[table.ordinal].failed = protocolError("the server gave no result for %q", table.header.GetName())
		}
		table.source.release()
	}
	u.waiting = still
	if passing != nil {
		return passing
	}
	return nil
}
