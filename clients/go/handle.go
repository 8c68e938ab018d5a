package polarway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/uuid"

	"github.com/polarway/polarway/clients/go/internal/expression"
	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
	"github.com/polarway/polarway/clients/go/internal/rows"
)

// HandleInfo describes a handle.
type HandleInfo struct {
	// ID is its name in SQL and for [Client.Load]. Whoever knows it may use the handle.
	ID string
	// Schema has its columns.
	Schema *arrow.Schema
	Rows   uint64
	// Bytes is about the size of its rows in memory as Arrow.
	Bytes uint64
	// Created is when it was made, in UTC.
	Created time.Time
	// Expires is when it expires unless it is used before, in UTC, as the server last said. Each use extends it.
	Expires time.Time
	// TTL is how long it is kept without being used.
	TTL time.Duration
}

func handleInfoOf(message *pb.Handle) (HandleInfo, error) {
	if message == nil {
		return HandleInfo{}, protocolError("the server described a handle and sent none")
	}
	schema, err := schemaOf("a handle", message.GetSchema())
	if err != nil {
		return HandleInfo{}, err
	}
	return HandleInfo{
		ID:      message.GetHandleId(),
		Schema:  schema,
		Rows:    message.GetRows(),
		Bytes:   message.GetBytes(),
		Created: timeOf(message.GetCreatedUs()),
		Expires: timeOf(message.GetExpiresUs()),
		TTL:     durationOf(message.GetTtlUs()),
	}, nil
}

// Handle is a query's result that is kept on the server. It can be loaded, queried, and named in SQL by its id. It never
// changes. The server keeps it until it was not used for its time to live; [Handle.Drop] frees it before.
//
//	late, err := client.QueryHandle(ctx, "SELECT * FROM flights WHERE dep_delay > 60")
//	defer late.Drop(ctx)
//	table, err := late.GroupBy("carrier").Agg("count(*) AS n").Sort("n DESC").Collect(ctx)
//
// Its methods that take steps, such as [Handle.Filter], send nothing: they begin a [LazyQuery].
type Handle struct {
	HandleInfo
	client *Client
}

// QueryHandle runs a query and keeps its result on the server. The arguments are those of [Client.Query], and [HandleTTL]. If
// the answer is lost, the call is made again and finds the handle that the first one made.
func (c *Client) QueryHandle(ctx context.Context, sql string, arguments ...any) (*Handle, error) {
	query, call, err := c.beginQuery(ctx, sql, arguments)
	if err != nil {
		return nil, err
	}
	if query.isHugeintText || query.isResumable {
		return nil, invalid("a result that is kept goes on where a load broke, and has its HUGEINT as decimals: leave out Resumable and HugeintAsText")
	}
	made, _, err := c.createHandle(ctx, query, call)
	return made, err
}

// createHandle makes a handle, and tells what its query did, unless an earlier try made it.
func (c *Client) createHandle(ctx context.Context, query *queryRequest, call *call) (*Handle, *QuerySummary, error) {
	bits := query.handleBits
	if bits == nil {
		// The handle's id is made of these bits, which nobody must be able to guess.
		fresh, err := uuid.NewRandom()
		if err != nil {
			return nil, nil, noRandomNumbers(err)
		}
		bits = &fresh
	}
	request := &pb.CreateHandleRequest{
		Sql: query.sql, Parameters: query.parameters, RequestId: requestID(*bits).ofTable(0), Engine: query.engine,
	}
	if query.ttl != nil {
		ttl := uint64(query.ttl.Microseconds())
		request.TtlUs = &ttl
	}
	var made *pb.CreateHandleResponse
	err := call.run(ctx, func(ctx context.Context, attempt *attempt) (err error) {
		made, err = tryCreateHandle(ctx, attempt, request, query.limit)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	var summary *QuerySummary
	if made.GetSummary() != nil {
		summary = summaryOf(made.GetSummary())
	}
	handle, err := c.handleOf(made.GetHandle())
	return handle, summary, err
}

func tryCreateHandle(
	ctx context.Context, attempt *attempt, request *pb.CreateHandleRequest, limit time.Duration,
) (*pb.CreateHandleResponse, error) {
	incoming, err := attempt.open(ctx, pb.CreateHandleMethod, request, limit)
	if err != nil {
		return nil, err
	}
	defer incoming.close()
	var made *pb.CreateHandleResponse
	// The stream is read to its end: the server would take an earlier end for a cancelled call.
	for {
		step := &pb.CreateHandleResponse{}
		err := incoming.receive(step)
		switch {
		case errors.Is(err, io.EOF) && made == nil:
			// A proxy may end a stream before the server does.
			return nil, unreachable("the stream ended before the handle was made")
		case errors.Is(err, io.EOF):
			return made, nil
		case err != nil:
			return nil, err
		}
		if step.GetHandle() != nil {
			made = step
		} else {
			attempt.call.tries.going()
		}
	}
}

func (c *Client) handleOf(message *pb.Handle) (*Handle, error) {
	info, err := handleInfoOf(message)
	if err != nil {
		return nil, err
	}
	return &Handle{info, c}, nil
}

// Handle finds a handle by its id. That is not a use of it.
func (c *Client) Handle(ctx context.Context, id string) (*Handle, error) {
	var answer pb.GetHandleResponse
	if err := c.unary(ctx, pb.GetHandleMethod, &pb.GetHandleRequest{HandleId: id}, &answer, nil); err != nil {
		return nil, err
	}
	return c.handleOf(answer.GetHandle())
}

// Handles lists the handles that are there, by id. With the memory store they are those of the worker that answers.
func (c *Client) Handles(ctx context.Context) ([]*Handle, error) {
	var all []*Handle
	request := &pb.ListHandlesRequest{}
	for {
		var page pb.ListHandlesResponse
		if err := c.unary(ctx, pb.ListHandlesMethod, request, &page, nil); err != nil {
			return nil, err
		}
		for _, message := range page.GetHandles() {
			one, err := c.handleOf(message)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return all, nil
		}
	}
}

// DropHandle drops a handle before it expires. Loads that run go on. A handle that was dropped before is no error.
func (c *Client) DropHandle(ctx context.Context, id string) error {
	var answer pb.DropHandleResponse
	return c.unary(ctx, pb.DropHandleMethod, &pb.DropHandleRequest{HandleId: id}, &answer, nil)
}

// Drop drops the handle on the server before it expires. Loads that run go on.
func (h *Handle) Drop(ctx context.Context) error { return h.client.DropHandle(ctx, h.ID) }

// Extend extends the handle: from now on it is kept for so long without being used, or for as long as before if the time is
// zero.
func (h *Handle) Extend(ctx context.Context, ttl time.Duration) error {
	if ttl < 0 {
		return invalid("%v is no time to live", ttl)
	}
	request := &pb.ExtendHandleRequest{HandleId: h.ID}
	if ttl > 0 {
		us := uint64(ttl.Microseconds())
		request.TtlUs = &us
	}
	var answer pb.ExtendHandleResponse
	if err := h.client.unary(ctx, pb.ExtendHandleMethod, request, &answer, nil); err != nil {
		return err
	}
	info, err := handleInfoOf(answer.GetHandle())
	if err != nil {
		return err
	}
	h.HandleInfo = info
	return nil
}

// Load loads the handle's rows.
func (h *Handle) Load(ctx context.Context, options ...LoadOption) (*Table, error) {
	return h.client.Load(ctx, h.ID, options...)
}

// LoadStream yields the handle's rows in batches, as [Client.LoadStream] does.
func (h *Handle) LoadStream(ctx context.Context, options ...LoadOption) iter.Seq2[arrow.RecordBatch, error] {
	return h.client.LoadStream(ctx, h.ID, options...)
}

// Lazy begins a query over the handle's rows.
func (h *Handle) Lazy() *LazyQuery {
	return &LazyQuery{client: h.client, steps: expression.OfHandle(h.ID, rows.Names(h.Schema))}
}

// String names the handle.
func (h *Handle) String() string {
	return fmt.Sprintf("Handle(%s, %d rows, %d columns)", h.ID, h.Rows, h.Schema.NumFields())
}
