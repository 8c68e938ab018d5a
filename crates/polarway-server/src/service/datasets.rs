//! Datasets, their schemas and versions; and deleting them.

use polarway_core::{At, DeleteOptions};
use polarway_proto::Reason;
use polarway_proto::v1::{
    self, DeleteDatasetRequest, DeleteDatasetResponse, Failure, GetDatasetRequest, GetDatasetResponse,
    ListDatasetsRequest, ListDatasetsResponse, ListVersionsRequest, ListVersionsResponse,
};

use crate::call::Call;
use crate::convert;

/// The most entries on a page: about 100 KB.
const MOST_ENTRIES: usize = 1000;

pub(super) async fn list(call: &Call, request: ListDatasetsRequest) -> Result<ListDatasetsResponse, Failure> {
    // The token is the last name of the previous page: creating or deleting datasets meanwhile does not shift pages.
    let page = call.engine.datasets_after(&request.page_token, page_entries(request.page_size)).await;
    let (datasets, is_last) = page.map_err(|error| call.failure(&error))?;
    let next_page_token = match datasets.last() {
        Some(last) if !is_last => last.name.to_string(),
        _ => String::new(),
    };
    Ok(ListDatasetsResponse { datasets: datasets.into_iter().map(Into::into).collect(), next_page_token })
}

pub(super) async fn get(call: &Call, request: GetDatasetRequest) -> Result<GetDatasetResponse, Failure> {
    let description =
        call.engine.describe_at(&request.name, request.at.map(At::from).unwrap_or_default()).await;
    let description = description.map_err(|error| call.failure(&error))?;
    let dataset = v1::Dataset::try_from(description).map_err(convert::unsupported)?;
    Ok(GetDatasetResponse { dataset: Some(dataset) })
}

pub(super) async fn list_versions(
    call: &Call,
    request: ListVersionsRequest,
) -> Result<ListVersionsResponse, Failure> {
    let mut versions = call.engine.versions(&request.name).await.map_err(|error| call.failure(&error))?;
    if !request.page_token.is_empty() {
        let last: u64 = request.page_token.parse().map_err(|_| {
            Reason::InvalidRequest.failure(format!(
                "{:?} is no page token of this list: give the one that the page before came with",
                request.page_token
            ))
        })?;
        versions.retain(|version| version.version > last);
    }
    let is_last = cut_page(&mut versions, request.page_size);
    let next_page_token = match versions.last() {
        Some(last) if !is_last => last.version.to_string(),
        _ => String::new(),
    };
    Ok(ListVersionsResponse { versions: versions.into_iter().map(Into::into).collect(), next_page_token })
}

pub(super) async fn delete(
    call: &Call,
    request: DeleteDatasetRequest,
) -> Result<DeleteDatasetResponse, Failure> {
    let options = DeleteOptions::try_from(&request)?;
    let deleted = call.engine.delete_with(&request.name, options).await.map_err(|error| call.failure(&error));
    call.origin.changed("delete", &request.name, &deleted);
    Ok(DeleteDatasetResponse { published: Some(deleted?.into()) })
}

/// Cuts the entries to one page, and returns whether it is the last.
pub(super) fn cut_page<T>(entries: &mut Vec<T>, page_size: u32) -> bool {
    let size = page_entries(page_size);
    let is_last = entries.len() <= size;
    entries.truncate(size);
    is_last
}

/// The most entries on a page of this requested size.
fn page_entries(page_size: u32) -> usize {
    match page_size as usize {
        0 => MOST_ENTRIES,
        size => size.min(MOST_ENTRIES),
    }
}
