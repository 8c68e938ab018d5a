package polarway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// A call has the deadline, the waits between tries, and the choice of the worker. Each try is an attempt, which bounds
// every wait for the server. No wait is without a bound: a balancer keeps connections alive in front of a worker that has
// stopped, so nothing else would show that the worker does not answer.

const (
	// How long a stream may bring nothing before its connection counts as broken. A server sends something each second.
	silence = 5 * time.Second
	// How long a worker may take to begin its answer.
	opening = connectTime + silence

	idHeader    = "x-request-id"
	tokenHeader = "authorization"
)

// callKind is the kind of a call. It decides how often the call may be made again.
type callKind int

const (
	// To repeat it does no harm: it reads, or it writes under an id that the server recognises.
	callIdempotent callKind = iota
	// It asks whether a server answers. That a connection can't be made is an answer, if no worker can be reached. A
	// balancer's error about its worker is none.
	callProbe
	// It runs a query. A query that makes its worker fail must not make all of them fail.
	callQuery
)

// call is one call, from its first try to its last.
type call struct {
	client *Client
	kind   callKind
	tries  tries
	id     string
	// The worker of the current try.
	worker *worker
	// Whether no other worker can answer.
	isForOneWorker bool
	// The workers that a probe has not asked yet.
	unasked int
	// The longest wait for an answer that is one message. It doubles with each try, because the answer may take that long.
	patience time.Duration
}

func (c *Client) newCall(kind callKind, only *worker) *call {
	return &call{
		client:         c,
		kind:           kind,
		tries:          newTries(c.timeout, kind),
		id:             uuid.NewString(),
		worker:         only,
		isForOneWorker: only != nil,
		unasked:        len(c.workers.all) - 1,
		patience:       opening,
	}
}

// run makes attempts until one succeeds, one fails in a way that a retry can't help, or the time is over. A stream is read
// by several calls of this method: the worker stays the same until an attempt fails.
func (c *call) run(ctx context.Context, try func(context.Context, *attempt) error) error {
	for {
		err := try(c.headers(ctx), c.attempt())
		if err == nil {
			return nil
		}
		failed := c.failure(ctx, err)
		wait, isWorthIt := c.wait(failed)
		if !isWorthIt {
			return c.final(c.tries.told(failed))
		}
		c.client.logger.DebugContext(ctx, "polarway: trying again", "error", failed.Message, "wait", wait, "id", c.id)
		if err := sleep(ctx, wait); err != nil {
			return c.failure(ctx, err)
		}
	}
}

// goOn makes one more attempt at the current worker. The user has earlier results already: a failure is final.
func (c *call) goOn(ctx context.Context, try func(context.Context, *attempt) error) error {
	err := try(c.headers(ctx), c.attempt())
	if err == nil {
		return nil
	}
	failed := c.failure(ctx, err)
	c.leaveWorker(failed)
	return failed
}

func (c *call) attempt() *attempt {
	if c.worker == nil {
		c.worker = c.client.workers.pick()
	}
	if c.tries.failed > 0 {
		// This client has waited for long enough.
		c.worker.connection.ResetConnectBackoff()
	}
	return &attempt{call: c, worker: c.worker}
}

func (c *call) headers(ctx context.Context) context.Context {
	ctx = withTrace(ctx)
	if token := c.client.token; token != "" {
		return metadata.AppendToOutgoingContext(ctx, idHeader, c.id, tokenHeader, "Bearer "+token)
	}
	return metadata.AppendToOutgoingContext(ctx, idHeader, c.id)
}

// failure is an attempt's error as an error of this call. If the caller's context has ended, that is the cause.
func (c *call) failure(ctx context.Context, err error) *Error {
	var failed *Error
	if !errors.As(err, &failed) {
		failed = &Error{Code: codes.Unknown, Message: err.Error(), cause: err}
	}
	// An error is the user's: one that two calls share, such as that of a source of rows, stays as it is.
	own := *failed
	if ctx.Err() != nil && own.Reason == "" {
		own = *ended(ctx)
	} else if c.client.isClosed.Load() && own.Retryable {
		own = *closed()
	}
	if own.RequestID == "" {
		own.RequestID = c.id
	}
	return &own
}

// wait returns how long to wait before the next try, which may go to another worker, and whether there is one.
func (c *call) wait(failed *Error) (time.Duration, bool) {
	c.leaveWorker(failed)
	c.patience *= 2
	if c.kind == callProbe && failed.origin != originPeer {
		c.unasked--
		return 0, c.unasked >= 0
	}
	return c.tries.wait(failed)
}

// leaveWorker changes the worker after a failure that may pass, and after one of its certificate. After other failures it
// stays: other workers would refuse the call too, and a handle may exist on this worker only.
func (c *call) leaveWorker(failed *Error) {
	if (failed.Retryable || failed.origin == originTLS) && !c.isForOneWorker && c.worker != nil {
		c.client.workers.passOver(c.worker)
		c.worker = nil
	}
}

func (c *call) final(failed *Error) error {
	// That a worker is busy is useful to the user; that a connection broke only says how the time ended.
	if failed.Reason == "" && failed.Retryable && c.tries.count() > 1 {
		failed.Message = fmt.Sprintf("no answer within %v, in %d tries; the last said: %s",
			c.tries.timeout, c.tries.count(), failed.Message)
		failed.Code = codes.Unavailable
	}
	return failed
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt is one try of a call, at one worker.
type attempt struct {
	call   *call
	worker *worker
}

// unary makes a call with one message and one answer.
func (a *attempt) unary(ctx context.Context, method string, request, answer proto.Message) error {
	left := a.call.tries.left()
	bound := min(a.call.patience, left)
	bounded, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	err := a.worker.connection.Invoke(bounded, method, request, answer)
	if err == nil {
		return nil
	}
	failed := failureOf(err, a.worker.address)
	// The server may tell sooner than this client that the time was over.
	if failed.Code == codes.DeadlineExceeded {
		return a.noAnswer("did not answer", bound, left)
	}
	return failed
}

func (a *attempt) noAnswer(what string, bound, left time.Duration) *Error {
	if bound < left {
		return unreachable("the server at %s %s for %v", a.worker.address, what, bound)
	}
	message := fmt.Sprintf("the server at %s %s within %v", a.worker.address, what, a.call.tries.timeout)
	return ofCode(codes.DeadlineExceeded, message, originPeer)
}

// unary makes a call with one message and one answer, which may be made again.
func (c *Client) unary(ctx context.Context, method string, request, answer proto.Message, only *worker) error {
	if err := c.greet(ctx); err != nil {
		return err
	}
	return c.newCall(callIdempotent, only).run(ctx, func(ctx context.Context, attempt *attempt) error {
		proto.Reset(answer)
		return attempt.unary(ctx, method, request, answer)
	})
}

var streamDescription = &grpc.StreamDesc{ServerStreams: true}
