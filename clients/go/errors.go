package polarway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
)

// The kinds of failures, for [errors.Is]. Some are special cases of others: an error that is [ErrDatasetNotFound] is
// [ErrNotFound] as well.
var (
	// ErrInvalidInput is a name, a value or a table that can't be used. Nothing was changed.
	ErrInvalidInput = errors.New("polarway: invalid input")
	// ErrSchemaMismatch is an append whose rows don't fit the dataset. It is [ErrInvalidInput], too.
	ErrSchemaMismatch = errors.New("polarway: the schema does not fit")
	// ErrNotFound is something that was asked for and is not there.
	ErrNotFound = errors.New("polarway: not found")
	// ErrDatasetNotFound is a name that no dataset has. It is [ErrNotFound], too.
	ErrDatasetNotFound = errors.New("polarway: dataset not found")
	// ErrVersionNotFound is a version that does not exist, or whose data retention has removed. It is [ErrNotFound], too.
	ErrVersionNotFound = errors.New("polarway: version not found")
	// ErrColumnNotFound is a column that the table does not have. It is [ErrNotFound], too.
	ErrColumnNotFound = errors.New("polarway: column not found")
	// ErrHandleNotFound is a handle that has expired, was dropped or never existed. It is [ErrNotFound], too.
	ErrHandleNotFound = errors.New("polarway: handle not found")
	// ErrQueryNotFound is a query that does not run on any worker that the client knows. It is [ErrNotFound], too.
	ErrQueryNotFound = errors.New("polarway: query not found")
	// ErrConflict is a dataset that is not as a write expected.
	ErrConflict = errors.New("polarway: conflict")
	// ErrUnauthenticated is a token that is missing or not accepted.
	ErrUnauthenticated = errors.New("polarway: unauthenticated")
	// ErrPermissionDenied is something that the caller may not do.
	ErrPermissionDenied = errors.New("polarway: permission denied")
	// ErrQuery is a query that is wrong, or that failed on its data or its size.
	ErrQuery = errors.New("polarway: the query failed")
	// ErrCancelled is work that somebody cancelled: the context of the caller, or another client with [Client.Cancel].
	ErrCancelled = errors.New("polarway: cancelled")
	// ErrResourceExhausted is memory, threads or room that the server lacks, or a quota of the caller that is used up.
	ErrResourceExhausted = errors.New("polarway: resource exhausted")
	// ErrTimeout is an answer that did not come in time.
	ErrTimeout = errors.New("polarway: timeout")
	// ErrUnavailable is a server that does not answer, or can't do its work now. The same call may succeed later.
	ErrUnavailable = errors.New("polarway: unavailable")
	// ErrServerFailed is a failure of the server: damaged data, a wrong configuration, or a bug.
	ErrServerFailed = errors.New("polarway: the server failed")
	// ErrProtocol is an answer that is not of this protocol, or of another version of it.
	ErrProtocol = errors.New("polarway: protocol error")
	// ErrClosed is a call of a client that was closed.
	ErrClosed = errors.New("polarway: the client is closed")
)

// Error is why a call failed.
type Error struct {
	// Code is the gRPC code.
	Code codes.Code
	// Reason says what is wrong, for programs, such as "UNKNOWN_DATASET". It is empty if no server of Polarway gave one.
	Reason string
	// Message says what is wrong and what to do, for people.
	Message string
	// Retryable tells whether the same call may succeed later.
	Retryable bool
	// RequestID is the call's id, which the server's log has as well. It is empty if no call was made.
	RequestID string

	kind       error
	retryDelay time.Duration
	origin     origin
	// Whether this call is not made again, though another one may succeed.
	isFinal bool
	cause   error
}

// origin is what failed, where no server gave a reason.
type origin int

const (
	// A Polarway server, or a proxy before it, answered.
	originPeer origin = iota
	// The connection broke, or could not be made.
	originConnection
	// The connection can't be made secure. It could not the next time, either.
	originTLS
)

// Error returns the message.
func (e *Error) Error() string { return "polarway: " + e.Message }

// Unwrap returns what caused the error, such as the error of a context.
func (e *Error) Unwrap() error { return e.cause }

// Is tells whether the error is of a kind, such as [ErrNotFound]. An [ErrTimeout] is [context.DeadlineExceeded] as well: the server may
// tell sooner than the context that the time is over.
func (e *Error) Is(target error) bool {
	if target == context.DeadlineExceeded {
		return e.kind == ErrTimeout
	}
	return target == e.kind || (e.kind != nil && target == wider[e.kind])
}

// wider has the more general kind of those that have one.
var wider = map[error]error{
	ErrSchemaMismatch:  ErrInvalidInput,
	ErrDatasetNotFound: ErrNotFound,
	ErrVersionNotFound: ErrNotFound,
	ErrColumnNotFound:  ErrNotFound,
	ErrHandleNotFound:  ErrNotFound,
	ErrQueryNotFound:   ErrNotFound,
}

// kindOfReason has the kind of every reason.
var kindOfReason = map[string]error{
	"INVALID_NAME":         ErrInvalidInput,
	"UNSUPPORTED":          ErrInvalidInput,
	"INVALID_INPUT":        ErrInvalidInput,
	"INVALID_HANDLE":       ErrInvalidInput,
	"INVALID_REQUEST":      ErrInvalidInput,
	"MESSAGE_TOO_LARGE":    ErrInvalidInput,
	"REQUEST_EXPIRED":      ErrInvalidInput,
	"SCHEMA_MISMATCH":      ErrSchemaMismatch,
	"UNKNOWN_DATASET":      ErrDatasetNotFound,
	"UNKNOWN_VERSION":      ErrVersionNotFound,
	"UNKNOWN_COLUMN":       ErrColumnNotFound,
	"UNKNOWN_HANDLE":       ErrHandleNotFound,
	"HANDLE_EXPIRED":       ErrHandleNotFound,
	"HANDLE_DROPPED":       ErrHandleNotFound,
	"HANDLE_LOST":          ErrHandleNotFound,
	"UNKNOWN_QUERY":        ErrQueryNotFound,
	"ALREADY_EXISTS":       ErrConflict,
	"VERSION_CONFLICT":     ErrConflict,
	"MISSING_TOKEN":        ErrUnauthenticated,
	"INVALID_TOKEN":        ErrUnauthenticated,
	"TOKEN_EXPIRED":        ErrUnauthenticated,
	"TOKEN_WITHDRAWN":      ErrUnauthenticated,
	"PERMISSION_DENIED":    ErrPermissionDenied,
	"QUERY_NOT_ALLOWED":    ErrPermissionDenied,
	"READ_ONLY":            ErrPermissionDenied,
	"INVALID_QUERY":        ErrQuery,
	"QUERY_FAILED":         ErrQuery,
	"QUERY_TOO_LARGE":      ErrQuery,
	"READER_TOO_SLOW":      ErrQuery,
	"NOT_DISTRIBUTABLE":    ErrQuery,
	"WORKER_LOST":          ErrQuery,
	"CANCELLED":            ErrCancelled,
	"RESOURCE_EXHAUSTED":   ErrResourceExhausted,
	"HANDLES_FULL":         ErrResourceExhausted,
	"QUOTA_EXCEEDED":       ErrResourceExhausted,
	"STORAGE_FULL":         ErrResourceExhausted,
	"DEADLINE_EXCEEDED":    ErrTimeout,
	"SHUTTING_DOWN":        ErrUnavailable,
	"TOKEN_UNCHECKED":      ErrUnavailable,
	"STORAGE_FAILED":       ErrUnavailable,
	"OUTCOME_UNKNOWN":      ErrUnavailable,
	"CHANGED":              ErrUnavailable,
	"CHECKSUM_MISMATCH":    ErrUnavailable,
	"UPLOAD_TRUNCATED":     ErrUnavailable,
	"UPLOAD_STALLED":       ErrUnavailable,
	"CORRUPT":              ErrServerFailed,
	"MISCONFIGURED":        ErrServerFailed,
	"INTERNAL":             ErrServerFailed,
	"MALFORMED_MESSAGE":    ErrProtocol,
	"UNKNOWN_METHOD":       ErrProtocol,
	"UNSUPPORTED_ENCODING": ErrProtocol,
	"UNEXPECTED_PART":      ErrProtocol,
	"CHUNK_OUT_OF_ORDER":   ErrProtocol,
	"MALFORMED_ARROW":      ErrProtocol,
	"ROW_COUNT_MISMATCH":   ErrProtocol,
}

// kindOfCode has the kind of a failure that no Polarway server gave a reason for. Other codes are ErrServerFailed.
var kindOfCode = map[codes.Code]error{
	// The connection broke, or gRPC or a proxy failed: the same call may succeed when made again.
	codes.Canceled:    ErrUnavailable,
	codes.Unknown:     ErrUnavailable,
	codes.Aborted:     ErrUnavailable,
	codes.Internal:    ErrUnavailable,
	codes.Unavailable: ErrUnavailable,

	codes.DeadlineExceeded:  ErrTimeout,
	codes.Unimplemented:     ErrProtocol,
	codes.Unauthenticated:   ErrUnauthenticated,
	codes.PermissionDenied:  ErrPermissionDenied,
	codes.ResourceExhausted: ErrResourceExhausted,
	codes.InvalidArgument:   ErrInvalidInput,
	codes.NotFound:          ErrNotFound,
}

// ofReason is a failure that a Polarway server gave a reason for. A reason of a later version is no reason for a retry.
func ofReason(code codes.Code, reason, message string, delay time.Duration) *Error {
	return &Error{
		Code:       code,
		Reason:     reason,
		Message:    message,
		Retryable:  pb.Reasons[reason].Retry,
		kind:       kindOfReason[reason],
		retryDelay: delay,
	}
}

// ofPart is what an answer says about a part of a call.
func ofPart(part *pb.Failure) *Error {
	delay := time.Duration(min(part.GetRetryDelayMs(), uint64(time.Hour/time.Millisecond))) * time.Millisecond
	code := codes.Code(max(part.GetCode(), 0))
	if part.GetReason() == "" {
		return ofCode(code, part.GetMessage(), originPeer)
	}
	return ofReason(code, part.GetReason(), part.GetMessage(), delay)
}

// ofCode is a failure without a reason: the connection, gRPC or a proxy failed.
func ofCode(code codes.Code, message string, from origin) *Error {
	kind, isKnown := kindOfCode[code]
	if !isKnown {
		kind = ErrServerFailed
	}
	return &Error{Code: code, Message: message, Retryable: kind == ErrUnavailable && from != originTLS, kind: kind, origin: from}
}

// unreachable is a server that does not answer: the same call may succeed when made again.
func unreachable(format string, arguments ...any) *Error {
	return ofCode(codes.Unavailable, fmt.Sprintf(format, arguments...), originPeer)
}

// protocolError is an answer that a server of this protocol does not give.
func protocolError(format string, arguments ...any) *Error {
	return &Error{Code: codes.Internal, Message: fmt.Sprintf(format, arguments...), kind: ErrProtocol}
}

// invalid is an argument that can't be used.
func invalid(format string, arguments ...any) *Error {
	return &Error{Code: codes.InvalidArgument, Message: fmt.Sprintf(format, arguments...), kind: ErrInvalidInput}
}

// ended is the error of a call whose context has ended. A cause that was given with the context is part of it.
func ended(ctx context.Context) *Error {
	failed := &Error{cause: ctx.Err()}
	if cause := context.Cause(ctx); cause != ctx.Err() {
		failed.cause = fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		failed.Code, failed.kind = codes.DeadlineExceeded, ErrTimeout
		failed.Message = "the deadline of the call's context has passed"
		return failed
	}
	failed.Code, failed.kind = codes.Canceled, ErrCancelled
	failed.Message = "the call's context was cancelled"
	return failed
}

// closed is a call of a client that was closed.
func closed() *Error {
	return &Error{Code: codes.Canceled, Message: "this client is closed", kind: ErrClosed}
}

// BatchError is a [Client.StoreBatch] of which some tables were not stored. Each table is stored on its own.
type BatchError struct {
	// Published has the versions of the tables that were stored, by name.
	Published map[string]Published
	// Errors has why the others were not, by name.
	Errors map[string]*Error
}

// Error names each table that was not stored, with its error.
func (e *BatchError) Error() string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(e.Errors)) {
		texts = append(texts, fmt.Sprintf("%q: %s", name, e.Errors[name].Message))
	}
	all := len(e.Errors) + len(e.Published)
	return fmt.Sprintf("polarway: %d of %d tables were not stored: %s", len(e.Errors), all, strings.Join(texts, "; "))
}

// Unwrap returns the errors of the tables, so that [errors.Is] and [errors.As] find them.
func (e *BatchError) Unwrap() []error {
	var all []error
	for _, name := range slices.Sorted(maps.Keys(e.Errors)) {
		all = append(all, e.Errors[name])
	}
	return all
}
