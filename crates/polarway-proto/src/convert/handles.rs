//! Handles on results.

use std::time::Duration;

use polarway_model::HandleInfo;

use super::{InvalidMessage, micros, schema_from_ipc, schema_to_ipc};
use crate::v1;

impl TryFrom<HandleInfo> for v1::Handle {
    type Error = polarway_ipc::Error;

    fn try_from(info: HandleInfo) -> Result<Self, polarway_ipc::Error> {
        let HandleInfo { id, schema, rows, bytes, created_us, expires_us, ttl } = info;
        let (handle_id, schema, ttl_us) = (id.to_string(), schema_to_ipc(&schema)?, micros(ttl));
        Ok(Self { handle_id, schema, rows, bytes, created_us, expires_us, ttl_us })
    }
}

impl TryFrom<v1::Handle> for HandleInfo {
    type Error = InvalidMessage;

    fn try_from(message: v1::Handle) -> Result<Self, InvalidMessage> {
        let v1::Handle { handle_id, schema, rows, bytes, created_us, expires_us, ttl_us } = message;
        let id = handle_id.parse().map_err(|error| InvalidMessage::new(format!("{error}")))?;
        let (schema, ttl) = (schema_from_ipc(schema)?, Duration::from_micros(ttl_us));
        Ok(Self { id, schema, rows, bytes, created_us, expires_us, ttl })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{DataType, Field, Schema};
    use polarway_model::HandleId;

    use super::*;

    #[test]
    fn a_handle_arrives_with_its_columns_and_never_under_an_id_that_is_none() {
        let info = HandleInfo {
            id: HandleId::from_bits([7; 16]),
            schema: Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)])),
            rows: 1,
            bytes: 2,
            created_us: -3,
            expires_us: i64::MAX,
            ttl: Duration::from_secs(60),
        };
        let message = v1::Handle::try_from(info.clone()).unwrap();
        assert_eq!(HandleInfo::try_from(message.clone()).unwrap(), info);
        let nameless = v1::Handle { handle_id: "h_0".to_owned(), ..message };
        assert!(HandleInfo::try_from(nameless).unwrap_err().to_string().contains("\"h_0\""));
    }
}
