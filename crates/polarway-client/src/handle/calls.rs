//! Calls on existing handles.

use std::time::Duration;

use polarway_model::HandleInfo;
use polarway_proto::v1::{
    self, DropHandleRequest, ExtendHandleRequest, GetHandleRequest, ListHandlesRequest,
};

use super::Handle;
use super::create::micros;
use crate::client::DistributedClient;
use crate::error::{Error, Result};

impl DistributedClient {
    /// An existing handle, by its id. It is kept on the server when this value is dropped.
    ///
    /// # Errors
    /// Text that is no handle's id ([`Reason::InvalidHandle`](crate::Reason::InvalidHandle)), and a handle that is unknown, has
    /// expired or was dropped, each with its own reason.
    pub async fn handle(&self, id: &str) -> Result<Handle> {
        let request = GetHandleRequest { handle_id: id.to_owned() };
        let response = self
            .unary(request, |mut service, request| async move { service.get_handle(request).await })
            .await?;
        Ok(Handle::new(self, told(response.handle)?, false))
    }

    /// All handles, by id. If each worker has its own handles, they are those of the worker that answers.
    ///
    /// # Errors
    /// Errors of the server.
    pub async fn handles(&self) -> Result<Vec<HandleInfo>> {
        let mut handles = Vec::new();
        let mut request = ListHandlesRequest::default();
        loop {
            let page = self.unary(request.clone(), |mut service, request| async move {
                service.list_handles(request).await
            });
            let page = page.await?;
            for handle in page.handles {
                handles.push(handle.try_into()?);
            }
            if page.next_page_token.is_empty() {
                return Ok(handles);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Drops a handle before it expires. Calls that read it go on, and a handle that was dropped before is no error.
    ///
    /// # Errors
    /// Text that is no handle's id, and a handle that is unknown or has expired.
    pub async fn drop_handle(&self, id: &str) -> Result<()> {
        let request = DropHandleRequest { handle_id: id.to_owned() };
        self.unary(request, |mut service, request| async move { service.drop_handle(request).await }).await?;
        Ok(())
    }

    /// Extends a handle: from now on it is kept for this long without being used, or for as long as before.
    ///
    /// # Errors
    /// As [`handle`](Self::handle); besides, a time that the server refuses.
    pub async fn extend_handle(&self, id: &str, ttl: Option<Duration>) -> Result<HandleInfo> {
        let request = ExtendHandleRequest { handle_id: id.to_owned(), ttl_us: ttl.map(micros) };
        let response = self
            .unary(request, |mut service, request| async move { service.extend_handle(request).await })
            .await?;
        told(response.handle)
    }
}

/// The handle of an answer.
fn told(handle: Option<v1::Handle>) -> Result<HandleInfo> {
    let handle = handle.ok_or_else(|| Error::protocol("the server described a handle and sent none"))?;
    Ok(handle.try_into()?)
}
