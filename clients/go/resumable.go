package polarway

import (
	"context"
	"errors"
)

// Resumable lets the server keep the result of [Client.Query], [Client.OpenQuery] or [Client.QueryStream] until all of its rows have
// arrived: a connection that breaks does not lose it, and the read goes on at the next row. It is for results that take long to
// compute or to send. The query has run when the first rows come, and the server needs room for its result.
func Resumable() QueryOption {
	return func(request *queryRequest) { request.isResumable = true }
}

// kept is a query's result that is read through a handle, which is dropped at the end of the read.
type kept struct {
	*loading
	ctx     context.Context
	handle  *Handle
	summary *QuerySummary
}

func (c *Client) beginKept(ctx context.Context, query *queryRequest, call *call) (*kept, error) {
	handle, summary, err := c.createHandle(ctx, query, call)
	if err != nil {
		return nil, err
	}
	made := &kept{ctx: ctx, handle: handle, summary: summary}
	made.loading, err = c.beginLoading(ctx, handle.ID, nil)
	if err != nil {
		made.drop()
		return nil, err
	}
	return made, nil
}

// close ends the read. To close twice does nothing.
func (k *kept) close() {
	k.loading.close()
	k.drop()
}

// drop frees the result. Where that fails, the server does when the handle expires.
func (k *kept) drop() {
	if k.handle == nil {
		return
	}
	// The read may be over because its context is.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.ctx), silence)
	defer cancel()
	if err := k.handle.Drop(ctx); err != nil && !errors.Is(err, ErrClosed) {
		k.handle.client.logger.DebugContext(ctx, "polarway: a result stays until it expires", "error", err, "handle", k.handle.ID)
	}
	k.handle = nil
}

// queryKept runs a query and loads its result through a handle.
func (c *Client) queryKept(ctx context.Context, query *queryRequest, call *call) (*Table, error) {
	result, err := c.beginKept(ctx, query, call)
	if err != nil {
		return nil, err
	}
	defer result.close()
	result.path = pathOpen
	return gather(ctx, result)
}
