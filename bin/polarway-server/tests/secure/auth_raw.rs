//! Requests made by hand, to any method that the protocol's description has.

use http::Request;
use http::header::AUTHORIZATION;
use polarway_proto::{FILE_DESCRIPTOR_SET, Reason};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::{Code, Status};

use crate::support::{Server, channel, reason_of};

/// The paths of all methods in a description of services.
pub(crate) fn paths_in(description: &[u8]) -> Vec<String> {
    let files = FileDescriptorSet::decode(description).unwrap().file;
    let paths = files.iter().flat_map(|file| {
        file.service.iter().flat_map(move |service| {
            let named = |method: &str| format!("/{}.{}/{method}", file.package(), service.name());
            service.method.iter().map(move |method| named(method.name())).collect::<Vec<_>>()
        })
    });
    paths.collect()
}

/// The paths of all methods of ours.
pub(crate) fn our_paths() -> Vec<String> {
    let paths = paths_in(FILE_DESCRIPTOR_SET);
    assert!(!paths.is_empty());
    paths
}

/// Calls a method with these values of `authorization` and no message, and returns the status.
pub(crate) async fn knock(server: &Server, path: &str, authorization: &[&str]) -> Status {
    let mut request = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
    for value in authorization {
        request = request.header(AUTHORIZATION, *value);
    }
    let mut channel = channel(server).await;
    std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let response = channel.call(request.body(Body::empty()).unwrap()).await.unwrap();
    Status::from_header_map(response.headers()).unwrap_or_else(|| Status::ok(""))
}

/// Why a request is refused for its token, if it is.
pub(crate) async fn refused_at(server: &Server, path: &str, authorization: &[&str]) -> Option<Reason> {
    let status = knock(server, path, authorization).await;
    (status.code() == Code::Unauthenticated).then(|| reason_of(&status))
}
