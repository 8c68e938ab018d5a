//! Writes and deletions.

use polarway_model::{DeleteOptions, Published, RequestId, WriteMode, WriteOptions};

use uuid::Uuid;

use super::{InvalidMessage, dataset_name};
use crate::v1;

impl From<WriteMode> for v1::WriteMode {
    fn from(mode: WriteMode) -> Self {
        match mode {
            WriteMode::Overwrite => Self::Overwrite,
            WriteMode::Create => Self::Create,
            WriteMode::Append => Self::Append,
        }
    }
}

impl v1::StoreHeader {
    /// The header of a table that is stored under this name.
    pub fn new(name: impl Into<String>, options: WriteOptions) -> Self {
        let WriteOptions { mode, request, expected_version } = options;
        Self {
            name: name.into(),
            mode: v1::WriteMode::from(mode).into(),
            request_id: request_id_to_text(request),
            expected_version,
            last: false,
        }
    }
}

impl TryFrom<&v1::StoreHeader> for WriteOptions {
    type Error = InvalidMessage;

    fn try_from(header: &v1::StoreHeader) -> Result<Self, InvalidMessage> {
        let mode = match v1::WriteMode::try_from(header.mode) {
            Ok(v1::WriteMode::Overwrite) => WriteMode::Overwrite,
            Ok(v1::WriteMode::Create) => WriteMode::Create,
            Ok(v1::WriteMode::Append) => WriteMode::Append,
            Ok(v1::WriteMode::Unspecified) | Err(_) => {
                return Err(InvalidMessage::new(format!(
                    "the header of {:?} has the write mode {}: say OVERWRITE, CREATE or APPEND",
                    header.name, header.mode
                )));
            }
        };
        let request = request_id_from_text(&header.request_id)?;
        Ok(Self { mode, request, expected_version: header.expected_version })
    }
}

impl v1::DeleteDatasetRequest {
    /// Deletes the dataset with this name.
    pub fn new(name: impl Into<String>, options: DeleteOptions) -> Self {
        let DeleteOptions { request, expected_version, purge } = options;
        Self { name: name.into(), request_id: request_id_to_text(request), expected_version, purge }
    }
}

impl TryFrom<&v1::DeleteDatasetRequest> for DeleteOptions {
    type Error = InvalidMessage;

    fn try_from(request: &v1::DeleteDatasetRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            request: request_id_from_text(&request.request_id)?,
            expected_version: request.expected_version,
            purge: request.purge,
        })
    }
}

impl v1::CreateHandleRequest {
    /// The request id of these bits. The handle's id is made from it.
    pub fn request_id_of(bits: [u8; 16]) -> String {
        format!("{}/0", Uuid::from_bytes(bits))
    }

    /// The bits of the request id, if there is one.
    ///
    /// # Errors
    /// If the text is not a request id.
    pub fn request_bits(&self) -> Result<Option<[u8; 16]>, InvalidMessage> {
        let text = self.request_id.as_str();
        if text.is_empty() {
            return Ok(None);
        }
        let bits = text.strip_suffix("/0").and_then(|call| Uuid::parse_str(call).ok()).map(Uuid::into_bytes);
        let invalid = || {
            InvalidMessage::new(format!("{text:?} is no id of a handle's request: that is a UUID and `/0`"))
        };
        bits.map(Some).ok_or_else(invalid)
    }
}

impl From<Published> for v1::PublishedVersion {
    fn from(published: Published) -> Self {
        let Published { name, version, rows, bytes, time_us, was_retry } = published;
        Self { name: name.into(), version, rows, bytes, time_us, was_retry }
    }
}

impl TryFrom<v1::PublishedVersion> for Published {
    type Error = InvalidMessage;

    fn try_from(message: v1::PublishedVersion) -> Result<Self, InvalidMessage> {
        let v1::PublishedVersion { name, version, rows, bytes, time_us, was_retry } = message;
        Ok(Self { name: dataset_name(name)?, version, rows, bytes, time_us, was_retry })
    }
}

/// A missing id is sent as an empty text.
fn request_id_to_text(request: Option<RequestId>) -> String {
    request.map(String::from).unwrap_or_default()
}

fn request_id_from_text(text: &str) -> Result<Option<RequestId>, InvalidMessage> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error| InvalidMessage::new(format!("{error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_a_write_arrive_as_they_were_given() {
        for mode in [WriteMode::Overwrite, WriteMode::Create, WriteMode::Append] {
            let with_all = WriteOptions::new(mode).with_request(RequestId::fresh()).expecting(7);
            for options in [WriteOptions::new(mode), with_all] {
                let header = v1::StoreHeader::new("trades", options);
                assert_eq!(WriteOptions::try_from(&header).unwrap(), options);
            }
        }
    }

    #[test]
    fn a_write_mode_that_is_none_is_refused_with_the_name_of_the_table() {
        for mode in [0, -1, 4] {
            let header = v1::StoreHeader { mode, ..v1::StoreHeader::new("trades", WriteOptions::default()) };
            let error = WriteOptions::try_from(&header).unwrap_err().to_string();
            assert!(error.contains("\"trades\"") && error.contains("OVERWRITE"), "{error}");
        }
    }

    #[test]
    fn the_options_of_a_deletion_arrive_as_they_were_given() {
        let request = Some(RequestId::fresh());
        let with_all = DeleteOptions { request, expected_version: Some(0), purge: true };
        for options in [DeleteOptions::default(), with_all] {
            let message = v1::DeleteDatasetRequest::new("trades", options);
            assert_eq!(DeleteOptions::try_from(&message).unwrap(), options);
        }
    }

    #[test]
    fn a_request_id_that_is_none_is_refused_by_its_text() {
        let message = v1::DeleteDatasetRequest { request_id: "mine".to_owned(), ..Default::default() };
        assert!(DeleteOptions::try_from(&message).unwrap_err().to_string().contains("\"mine\""));
    }

    #[test]
    fn what_was_published_arrives_as_itself_and_never_under_a_name_that_is_none() {
        let name = "trades".parse().unwrap();
        let published = Published { name, version: 3, rows: 5, bytes: 7, time_us: -1, was_retry: true };
        let message = v1::PublishedVersion::from(published.clone());
        assert_eq!(Published::try_from(message.clone()).unwrap(), published);
        let nameless = v1::PublishedVersion { name: "../etc".to_owned(), ..message };
        assert!(Published::try_from(nameless).unwrap_err().to_string().contains("\"../etc\""));
    }
}
