package polarway

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/google/uuid"

	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
)

// Datasets lists all datasets with their newest versions, by name.
func (c *Client) Datasets(ctx context.Context) ([]Dataset, error) {
	var all []Dataset
	request := &pb.ListDatasetsRequest{}
	for {
		var page pb.ListDatasetsResponse
		if err := c.unary(ctx, pb.ListDatasetsMethod, request, &page, nil); err != nil {
			return nil, err
		}
		for _, one := range page.GetDatasets() {
			all = append(all, Dataset{
				Name:    one.GetName(),
				Version: one.GetVersion(),
				Rows:    one.GetRows(),
				Bytes:   one.GetBytes(),
				Time:    timeOf(one.GetTimeUs()),
				Problem: one.GetError(),
			})
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return all, nil
		}
	}
}

// Describe describes a dataset: its columns, rows and size. Of the options of a load, only those that choose a version have
// a meaning.
func (c *Client) Describe(ctx context.Context, name string, options ...LoadOption) (*Description, error) {
	selected, err := selectionOf(options)
	if err != nil {
		return nil, err
	}
	if selected.columns != nil || selected.endRow != nil {
		return nil, invalid("a description is of all columns and rows: leave Columns and Rows out")
	}
	var answer pb.GetDatasetResponse
	request := &pb.GetDatasetRequest{Name: name, At: selected.at}
	if err := c.unary(ctx, pb.GetDatasetMethod, request, &answer, nil); err != nil {
		return nil, err
	}
	dataset := answer.GetDataset()
	if dataset == nil {
		return nil, protocolError("the server sent a description without a dataset")
	}
	schema, err := schemaOf(quoted(name), dataset.GetSchemaIpc())
	if err != nil {
		return nil, err
	}
	return &Description{
		Name:       dataset.GetName(),
		Version:    dataset.GetVersion(),
		Time:       timeOf(dataset.GetTimeUs()),
		Schema:     schema,
		Rows:       dataset.GetRows(),
		Files:      dataset.GetFiles(),
		Bytes:      dataset.GetBytes(),
		ArrowBytes: dataset.GetArrowBytes(),
	}, nil
}

// Versions lists all versions that a dataset ever had, oldest first; also those whose data is removed.
func (c *Client) Versions(ctx context.Context, name string) ([]Version, error) {
	var all []Version
	request := &pb.ListVersionsRequest{Name: name}
	for {
		var page pb.ListVersionsResponse
		if err := c.unary(ctx, pb.ListVersionsMethod, request, &page, nil); err != nil {
			return nil, err
		}
		for _, one := range page.GetVersions() {
			all = append(all, Version{
				Version:    one.GetVersion(),
				Kind:       knownOf(int32(one.GetKind()), VersionDelete),
				Rows:       one.GetRows(),
				Bytes:      one.GetBytes(),
				Files:      one.GetFiles(),
				Time:       timeOf(one.GetTimeUs()),
				IsVacuumed: one.GetVacuumed(),
			})
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return all, nil
		}
	}
}

type purge struct{}

// Purge removes the data of a dataset at once: older versions can't be read any more. If the dataset is deleted already, what
// is left of it is removed.
func Purge() DeleteOption { return purge{} }

func (purge) toDelete(request *pb.DeleteDatasetRequest) error {
	request.Purge = true
	return nil
}

// Delete deletes a dataset. Its versions stay readable until retention removes them. The version that is returned is the one
// that says that the dataset is deleted.
func (c *Client) Delete(ctx context.Context, name string, options ...DeleteOption) (Published, error) {
	id, err := freshRequestID()
	if err != nil {
		return Published{}, err
	}
	request := &pb.DeleteDatasetRequest{Name: name, RequestId: id.ofTable(0)}
	for _, option := range options {
		if err := option.toDelete(request); err != nil {
			return Published{}, err
		}
	}
	var answer pb.DeleteDatasetResponse
	if err := c.unary(ctx, pb.DeleteDatasetMethod, request, &answer, nil); err != nil {
		return Published{}, err
	}
	if answer.GetPublished() == nil {
		return Published{}, protocolError("the server did not say which version the deletion made")
	}
	return publishedOf(answer.GetPublished()), nil
}

// ServerInfo tells which worker answers.
func (c *Client) ServerInfo(ctx context.Context) (*ServerInfo, error) {
	var answer pb.GetServerInfoResponse
	if err := c.unary(ctx, pb.GetServerInfoMethod, &pb.GetServerInfoRequest{}, &answer, nil); err != nil {
		return nil, err
	}
	var peers []Peer
	for _, peer := range answer.GetPeers() {
		peers = append(peers, Peer{
			Address: peer.GetAddress(),
			State:   knownOf(int32(peer.GetState()), PeerUnreachable),
			Reason:  peer.GetReason(),
			Queries: peer.GetQueries(),
			IsOwn:   peer.GetIsOwn(),
		})
	}
	return &ServerInfo{
		ServerVersion:    answer.GetServerVersion(),
		ProtocolRevision: answer.GetProtocolRevision(),
		DuckDBVersion:    answer.GetDuckdbVersion(),
		WorkerID:         answer.GetWorkerId(),
		Started:          timeOf(answer.GetStartedUs()),
		Peers:            peers,
	}, nil
}

// CacheStats tells how the cache of the worker that answers is doing. Each worker has its own.
func (c *Client) CacheStats(ctx context.Context) (*CacheStats, error) {
	var answer pb.GetCacheStatsResponse
	if err := c.unary(ctx, pb.GetCacheStatsMethod, &pb.GetCacheStatsRequest{}, &answer, nil); err != nil {
		return nil, err
	}
	return &CacheStats{
		Hits:          answer.GetHits(),
		Misses:        answer.GetMisses(),
		HitRate:       answer.GetHitRate(),
		Tables:        answer.GetTables(),
		Bytes:         answer.GetBytes(),
		CapacityBytes: answer.GetCapacityBytes(),
		Evictions:     answer.GetEvictions(),
	}, nil
}

// Queries lists the queries that wait or run, the oldest first, on every worker that this client knows.
func (c *Client) Queries(ctx context.Context) ([]RunningQuery, error) {
	var all []RunningQuery
	for _, one := range c.workers.all {
		var answer pb.ListQueriesResponse
		if err := c.unary(ctx, pb.ListQueriesMethod, &pb.ListQueriesRequest{}, &answer, one); err != nil {
			return nil, err
		}
		for _, query := range answer.GetQueries() {
			all = append(all, RunningQuery{
				ID:      query.GetQueryId(),
				SQL:     query.GetSql(),
				Phase:   knownOf(int32(query.GetPhase()), PhaseRunning),
				Started: timeOf(query.GetStartedUs()),
				Elapsed: durationOf(query.GetElapsedUs()),
				Rows:    query.GetRows(),
				Bytes:   query.GetBytes(),
			})
		}
	}
	slices.SortStableFunc(all, func(a, b RunningQuery) int { return a.Started.Compare(b.Started) })
	return all, nil
}

// Cancel cancels a query by its id, which [Client.Queries] lists. Its caller gets [ErrCancelled].
func (c *Client) Cancel(ctx context.Context, id string) error {
	var failed error
	for _, one := range c.workers.all {
		var answer pb.CancelQueryResponse
		err := c.unary(ctx, pb.CancelQueryMethod, &pb.CancelQueryRequest{QueryId: id}, &answer, one)
		if err == nil {
			return nil
		}
		// That a worker did not answer is more useful to know than that another one refused.
		if failed == nil || !errors.Is(failed, ErrUnavailable) {
			failed = err
		}
	}
	return failed
}

// requestID is the id by which a server recognises a write that it was sent before: a UUID of version 7, whose age is known.
type requestID uuid.UUID

func freshRequestID() (requestID, error) {
	fresh, err := uuid.NewV7()
	if err != nil {
		return requestID{}, noRandomNumbers(err)
	}
	return requestID(fresh), nil
}

func noRandomNumbers(err error) *Error {
	return &Error{Message: "this machine has no random numbers: " + err.Error(), cause: err}
}

// ofTable is the id of a table in a call, counted from 0.
func (id requestID) ofTable(ordinal int) string {
	return uuid.UUID(id).String() + "/" + strconv.Itoa(ordinal)
}
