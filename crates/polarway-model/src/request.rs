//! Request ids: with them a retry of a write is not a second write.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of one write: the call's id, and which table of the call it is.
///
/// The caller makes it once and sends it again with each retry. It carries the time at which
/// it was made, so that one too old to be remembered is refused instead of written twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId {
    call: Uuid,
    table: u32,
}

/// A text or UUID that is not a request id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no request id: it must be a UUID of version 7, then '/' and the table's ordinal")]
pub struct InvalidRequestId(String);

impl RequestId {
    /// The id of the `table`th table (from 0) of the call `call`.
    ///
    /// # Errors
    /// [`InvalidRequestId`] when `call` is no UUID of version 7.
    pub fn new(call: Uuid, table: u32) -> Result<Self, InvalidRequestId> {
        match call.get_version_num() {
            7 => Ok(Self { call, table }),
            _ => Err(InvalidRequestId(call.to_string())),
        }
    }

    /// A fresh id, of a call that stores one table.
    pub fn fresh() -> Self {
        Self { call: Uuid::now_v7(), table: 0 }
    }

    /// Fresh ids of one call, one for each of its tables.
    pub fn fresh_of_call() -> impl Iterator<Item = Self> {
        let call = Uuid::now_v7();
        (0..=u32::MAX).map(move |table| Self { call, table })
    }

    /// When the caller made it: microseconds since 1970-01-01 UTC, to the millisecond.
    pub fn time_us(&self) -> i64 {
        let millis = (self.call.as_u128() >> 80) as i64; // 48 bits: it can't overflow
        millis * 1_000
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.call, self.table)
    }
}

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    fn from_str(text: &str) -> Result<Self, InvalidRequestId> {
        let invalid = || InvalidRequestId(text.chars().take(64).collect());
        let (call, table) = text.split_once('/').ok_or_else(invalid)?;
        let call = Uuid::try_parse(call).map_err(|_| invalid())?;
        let table = table.parse().map_err(|_| invalid())?;
        Self::new(call, table)
    }
}

impl TryFrom<String> for RequestId {
    type Error = InvalidRequestId;

    fn try_from(text: String) -> Result<Self, InvalidRequestId> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form_and_tells_its_time() {
        let call = Uuid::parse_str("0199c0de-0000-7000-8000-000000000001").unwrap();
        let id = RequestId::new(call, 3).unwrap();
        assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
        assert_eq!(id.time_us(), 0x0199_c0de_0000 * 1_000);
    }

    #[test]
    fn texts_that_are_no_ids_are_refused() {
        for text in
            ["", "x/0", "0199c0de-0000-7000-8000-000000000001", "00000000-0000-4000-8000-000000000000/0"]
        {
            assert!(text.parse::<RequestId>().is_err(), "{text:?}");
        }
    }
}
