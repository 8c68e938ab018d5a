//! A front that speaks the XML protocol of Google Cloud Storage, before a server of S3.
//!
//! The two protocols differ in the names of some headers. This proves that our use of Google's client is right, not that Google's
//! service behaves so.

use std::io;
use std::net::SocketAddr;

use crate::message::Answer;
use crate::proxy::Proxy;
use crate::sign;

/// The headers that mean the same, of Google and of S3.
const SAME: [(&str, &str); 2] =
    [("x-goog-copy-source", "x-amz-copy-source"), ("x-goog-metadata-directive", "x-amz-metadata-directive")];

/// A front before this server of S3, which is called with these keys.
///
/// # Errors
/// No port could be had.
pub(crate) fn start(s3: SocketAddr, access_key: &'static str, secret_key: &'static str) -> io::Result<Proxy> {
    Proxy::answering(move |request| {
        let mut request = request.clone();
        request.remove("authorization");
        for (google, amazon) in SAME {
            if let Some(value) = request.remove(google) {
                request.set(amazon, &value);
            }
        }
        // Generation 0 is that of an object that does not exist.
        match request.remove("x-goog-if-generation-match").as_deref() {
            Some("0") => request.set("if-none-match", "*"),
            Some(generation) => request.set("if-match", &format!("\"{generation}\"")),
            None => {}
        }
        sign::for_s3(&mut request, &s3.to_string(), access_key, secret_key);
        let answer = request.send_to(s3)?;
        Ok(with_generation(answer))
    })
}

/// The answer with what Google says in addition.
fn with_generation(answer: Answer) -> Answer {
    match answer.header("etag").map(|tag| tag.trim_matches('"').to_owned()) {
        Some(tag) => answer.with_header("x-goog-generation", &tag),
        None => answer,
    }
}
