package polarway

import (
	"context"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
)

const (
	traceParentHeader = "traceparent"
	traceStateHeader  = "tracestate"
)

// withTrace passes the trace of the context's span to the server: W3C Trace Context. One that the program has put into the
// call's metadata stays.
func withTrace(ctx context.Context) context.Context {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return ctx
	}
	if given, _ := metadata.FromOutgoingContext(ctx); len(given.Get(traceParentHeader)) > 0 {
		return ctx
	}
	parent := "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-" + span.TraceFlags().String()
	ctx = metadata.AppendToOutgoingContext(ctx, traceParentHeader, parent)
	if state := span.TraceState().String(); state != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, traceStateHeader, state)
	}
	return ctx
}
