package polarway

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
	"github.com/polarway/polarway/clients/go/internal/rows"
)

// Named is the value of a parameter that the text names as $name. The values of database/sql are the same.
func Named(name string, value any) sql.NamedArg { return sql.Named(name, value) }

// QueryOption is an option among the arguments of a query.
type QueryOption func(*queryRequest)

// TimeLimit is how long the server may work on the query.
func TimeLimit(limit time.Duration) QueryOption {
	return func(request *queryRequest) {
		if limit <= 0 {
			request.err = invalid("%v is no time limit: give the time that the query may take", limit)
		}
		request.limit = limit
	}
}

// HandleTTL is how long a handle is kept without being used. It has a meaning where a query's result is kept.
func HandleTTL(ttl time.Duration) QueryOption {
	return func(request *queryRequest) {
		if ttl < 0 {
			request.err = invalid("%v is no time to live", ttl)
		}
		request.ttl = &ttl
	}
}

// HandleRequest names the handle that [Client.QueryHandle] makes by the program's own random UUID, such as one of [uuid.NewRandom]. A program
// that was stopped can make the same call again, and finds the handle that the first one made. By default each call has an id of its own.
// Whoever knows the UUID may use the handle.
func HandleRequest(id uuid.UUID) QueryOption {
	return func(request *queryRequest) {
		if id.Version() != 4 {
			request.err = invalid("%v is no random UUID: uuid.NewRandom gives one", id)
		}
		request.handleBits = &id
	}
}

// HugeintAsText lets numbers of type HUGEINT come as text. They may have 39 digits, and Arrow's decimals have 38: as decimals they
// are refused then.
func HugeintAsText() QueryOption {
	return func(request *queryRequest) { request.isHugeintText = true }
}

// Engine says which workers run a query.
type Engine int

const (
	// EngineAuto lets the server decide, by its settings and by how much the query reads.
	EngineAuto Engine = iota
	// EngineLocal is the worker that is asked.
	EngineLocal
	// EngineDistributed is all workers together. It is an error for a query that can't be run so.
	EngineDistributed
)

// String returns the engine's name, such as "local".
func (e Engine) String() string { return nameOf(int(e), "auto", "local", "distributed") }

// WithEngine chooses the workers that run the query. The default is [EngineAuto].
func WithEngine(engine Engine) QueryOption {
	return func(request *queryRequest) {
		if engine < EngineAuto || engine > EngineDistributed {
			request.err = invalid("%d is no engine: give EngineAuto, EngineLocal or EngineDistributed", engine)
		}
		request.engine = pb.Engine(engine)
	}
}

// queryRequest is a query, as it is sent.
type queryRequest struct {
	engine        pb.Engine
	isHugeintText bool
	isResumable   bool
	// handleBits name the handle that is made; nil for bits of this call.
	handleBits *uuid.UUID
	sql        string
	parameters []byte
	limit      time.Duration
	ttl        *time.Duration
	err        error
}

func newQuery(text string, arguments []any) (*queryRequest, error) {
	made := &queryRequest{sql: text}
	var values []any
	for _, argument := range arguments {
		if option, isOption := argument.(QueryOption); isOption {
			option(made)
		} else {
			values = append(values, argument)
		}
	}
	if made.err == nil && made.isHugeintText && made.isResumable {
		made.err = invalid("a resumable result has its HUGEINT as decimals: leave out HugeintAsText, or Resumable")
	}
	if made.err != nil {
		return nil, made.err
	}
	parameters, err := encodeParameters(values)
	made.parameters = parameters
	return made, err
}

// encodeParameters makes an Arrow stream of one row, or nothing. Values travel with their types and are never read as SQL.
func encodeParameters(values []any) ([]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var fields []arrow.Field
	var columns []arrow.Array
	defer func() {
		for _, column := range columns {
			column.Release()
		}
	}()
	position := 0
	for _, value := range values {
		named, isNamed := value.(sql.NamedArg)
		if !isNamed {
			position++
			named = sql.Named(strconv.Itoa(position), value)
		}
		column, err := parameter(named.Value)
		if err != nil {
			return nil, invalid("the parameter %q can't be sent: %v", named.Name, err)
		}
		columns = append(columns, column)
		for _, other := range fields {
			if other.Name == named.Name {
				return nil, invalid("the parameter %q is given twice", named.Name)
			}
		}
		fields = append(fields, arrow.Field{Name: named.Name, Type: column.DataType(), Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	batch := array.NewRecordBatch(schema, columns, 1)
	defer batch.Release()
	var content bytes.Buffer
	writer := ipc.NewWriter(&content, ipc.WithSchema(schema))
	if err := errors.Join(writer.Write(batch), writer.Close()); err != nil {
		return nil, invalid("the parameters can't be sent: %v", err)
	}
	return content.Bytes(), nil
}

// parameter makes an array of one value. An array of the user's is for types that Go lacks.
func parameter(value any) (arrow.Array, error) {
	if given, isArray := value.(arrow.Array); isArray {
		if given.Len() != 1 {
			return nil, errors.New("it is an array of " + strconv.Itoa(given.Len()) + " values: give one")
		}
		given.Retain()
		return given, nil
	}
	return rows.Value(memory.DefaultAllocator, value)
}

// result is the result of one run of a query, as it arrives.
type result struct {
	receiver *receiver
	columns  *arrow.Schema
	ready    queue
	// summary tells what the query did, once its last row has arrived.
	summary *QuerySummary
}

func runQuery(ctx context.Context, attempt *attempt, query *queryRequest) (*result, error) {
	request := &pb.QueryRequest{Sql: query.sql, Parameters: query.parameters, HugeintAsText: query.isHugeintText, Engine: query.engine}
	receiver, err := attempt.receive(ctx, pb.QueryMethod, request, 0, query.limit)
	if err != nil {
		return nil, err
	}
	made := &result{receiver: receiver}
	// The first chunk brings the schema.
	for made.columns == nil {
		isMore, err := made.step(attempt)
		if err != nil {
			made.close()
			return nil, err
		}
		if !isMore {
			made.close()
			return nil, protocolError("a result ended before it began")
		}
	}
	return made, nil
}

// step takes one message, and tells whether there may be more.
func (r *result) step(attempt *attempt) (bool, error) {
	err := r.receiver.next()
	if errors.Is(err, io.EOF) {
		if r.summary == nil {
			return false, unreachable("the result ended before its summary")
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	batches, err := r.receiver.batches()
	if err != nil {
		return false, err
	}
	r.ready = append(r.ready, batches...)
	if schema := r.receiver.decoder.Schema(); schema != nil {
		r.columns = schema
	}
	var message pb.QueryResponse
	if err := r.receiver.rest(&message); err != nil {
		return false, err
	}
	if message.GetSummary() != nil {
		r.summary = summaryOf(message.GetSummary())
	}
	attempt.call.tries.going()
	return true, nil
}

func (r *result) close() {
	r.receiver.close()
	r.ready.release()
}

// whole is a result that is read in one attempt. A break is an error of the attempt.
type whole struct {
	*result
	attempt *attempt
}

func (w whole) schema() *arrow.Schema { return w.columns }

func (w whole) next(context.Context) (arrow.RecordBatch, error) {
	return w.ready.next(func() (bool, error) { return w.step(w.attempt) })
}

// running is a result that its user reads. After the first batch, a break is an error.
type running struct {
	*result
	call *call
}

func (r running) schema() *arrow.Schema { return r.columns }

func (r running) next(ctx context.Context) (arrow.RecordBatch, error) {
	return r.ready.next(func() (isMore bool, err error) {
		err = r.call.goOn(ctx, func(_ context.Context, attempt *attempt) (err error) {
			isMore, err = r.step(attempt)
			return err
		})
		return isMore, err
	})
}

// beginQuery reads the arguments of a query, and begins the call that runs it.
func (c *Client) beginQuery(ctx context.Context, sql string, arguments []any) (*queryRequest, *call, error) {
	query, err := newQuery(sql, arguments)
	if err != nil {
		return nil, nil, err
	}
	if err := c.greet(ctx); err != nil {
		return nil, nil, err
	}
	return query, c.newCall(callQuery, nil), nil
}

// Query runs a SELECT in DuckDB's dialect, or EXPLAIN, DESCRIBE, SUMMARIZE or SHOW TABLES. Datasets are tables under their
// names. The table is the caller's, who releases it. A query whose connection breaks is run again, unless it is [Resumable].
//
// The arguments are values for the text's parameters, ? and $1 by position and $name as [Named] values, and options:
//
//	client.Query(ctx, "SELECT count(*) FROM flights WHERE year = $year", polarway.Named("year", 2013))
//	client.Query(ctx, "SELECT * FROM flights WHERE carrier = ?", "UA", polarway.TimeLimit(time.Minute))
//
// A value is of any type that a column may have (see [Client.Store]), or an [arrow.Array] of length one.
func (c *Client) Query(ctx context.Context, sql string, arguments ...any) (*Table, error) {
	query, call, err := c.beginQuery(ctx, sql, arguments)
	if err != nil {
		return nil, err
	}
	if query.isResumable {
		return c.queryKept(ctx, query, call)
	}
	var table *Table
	err = call.run(ctx, func(ctx context.Context, attempt *attempt) error {
		result, err := runQuery(ctx, attempt, query)
		if err != nil {
			return err
		}
		defer result.close()
		table, err = gather(ctx, whole{result, attempt})
		return err
	})
	return table, err
}

// QueryReader gives the rows of a query's result while the query makes them.
type QueryReader struct {
	*Reader
	summary func() *QuerySummary
}

// Summary tells what the query did. It is nil until the last batch has been taken. Of a [Resumable] query it is known from the
// beginning; it is nil if the answer that said it was lost.
func (r *QueryReader) Summary() *QuerySummary { return r.summary() }

// OpenQuery runs a query and gives its rows while it makes them: a slow reader makes the query slow, and to release the
// reader stops it. After the first rows, a connection that breaks is an error, unless the query is [Resumable]. The context
// holds for the whole query. The arguments are those of [Client.Query]. The reader is the caller's, who releases it.
func (c *Client) OpenQuery(ctx context.Context, sql string, arguments ...any) (*QueryReader, error) {
	query, call, err := c.beginQuery(ctx, sql, arguments)
	if err != nil {
		return nil, err
	}
	if query.isResumable {
		result, err := c.beginKept(ctx, query, call)
		if err != nil {
			return nil, err
		}
		return &QueryReader{newReader(ctx, result), func() *QuerySummary { return result.summary }}, nil
	}
	begun := running{call: call}
	err = call.run(ctx, func(ctx context.Context, attempt *attempt) (err error) {
		begun.result, err = runQuery(ctx, attempt, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &QueryReader{newReader(ctx, begun), func() *QuerySummary { return begun.summary }}, nil
}

// QueryStream runs a query and yields the batches of its result while it makes them, as [Client.OpenQuery] does. A batch is
// valid until the loop's next turn, unless it is kept with Retain. To leave the loop stops the query.
func (c *Client) QueryStream(ctx context.Context, sql string, arguments ...any) iter.Seq2[arrow.RecordBatch, error] {
	return stream(func() (*QueryReader, error) { return c.OpenQuery(ctx, sql, arguments...) })
}

// Scan adds the table's rows to what destination points to: a slice of structs or of pointers to structs, of maps from names
// to values, or, for a table of one column, of values. A column goes to the field with its name in the tag
// `polarway:"name"`, or to the field that is called so, in upper or lower case. Every column needs a field. A NULL needs a
// pointer, a slice or a map. A value that the field's type can't hold exactly is an error.
func (t *Table) Scan(destination any) error {
	if err := rows.Scan(t.Schema(), t.batches, destination); err != nil {
		return invalid("%v", err)
	}
	return nil
}
