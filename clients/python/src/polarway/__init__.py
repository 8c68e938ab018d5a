"""The Python client of Polarway, a server for tables."""

from polarway._async_client import AsyncDistributedClient
from polarway._async_handle import AsyncHandle, AsyncLazyQuery
from polarway._client import DistributedClient
from polarway._fluent import GroupBy
from polarway._handle import Handle, LazyQuery
from polarway._handles import HandleInfo
from polarway._local import local
from polarway._model import (
    Dataset,
    DatasetVersion,
    Description,
    Peer,
    Published,
    QuerySummary,
    QueryTimes,
    RunningQuery,
    ServerInfo,
    Version,
)
from polarway._request_id import fresh_request
from polarway._streams import AsyncQueryStream, AsyncTableStream, QueryStream, TableStream
from polarway._trace import trace_context
from polarway.errors import (
    BatchFailed,
    ColumnNotFound,
    Conflict,
    DatasetNotFound,
    HandleNotFound,
    InvalidInput,
    MalformedMessage,
    NotFound,
    PermissionDenied,
    PolarwayError,
    ProtocolError,
    QueryCancelled,
    QueryError,
    QueryNotFound,
    ResourceExhausted,
    SchemaMismatch,
    ServerFailed,
    TimedOut,
    Unauthenticated,
    Unavailable,
    VersionNotFound,
)

__all__ = [
    "AsyncDistributedClient",
    "AsyncHandle",
    "AsyncLazyQuery",
    "AsyncQueryStream",
    "AsyncTableStream",
    "BatchFailed",
    "ColumnNotFound",
    "Conflict",
    "Dataset",
    "DatasetNotFound",
    "DatasetVersion",
    "Description",
    "DistributedClient",
    "GroupBy",
    "Handle",
    "HandleInfo",
    "HandleNotFound",
    "InvalidInput",
    "LazyQuery",
    "MalformedMessage",
    "NotFound",
    "Peer",
    "PermissionDenied",
    "PolarwayError",
    "ProtocolError",
    "Published",
    "QueryCancelled",
    "QueryError",
    "QueryNotFound",
    "QueryStream",
    "QuerySummary",
    "QueryTimes",
    "ResourceExhausted",
    "RunningQuery",
    "SchemaMismatch",
    "ServerFailed",
    "ServerInfo",
    "TableStream",
    "TimedOut",
    "Unauthenticated",
    "Unavailable",
    "Version",
    "VersionNotFound",
    "fresh_request",
    "local",
    "trace_context",
]
