//! What happens on a connection before HTTP/2: TLS, or a clear answer to a client that speaks something else.

use std::time::Duration;

use polarway_tls::{Ahead, ReadAhead, explain, tls_error};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::farewell::{INADEQUATE_SECURITY, farewell};
use crate::tls::{SIDES, Tls};

/// How long to wait for the client to close a connection that we have closed.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// How long to wait for the first request of a client without TLS before the server answers that it needs TLS.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// The bytes with which a client begins HTTP/2 (RFC 9113, section 3.4).
pub(crate) const PREFACE_BYTES: usize = 24;

/// The bytes before the payload of a frame: its length in three bytes, its type, flags and stream (RFC 9113, section 4.1).
const FRAME_HEADER_BYTES: usize = 9;

/// The type of the frame that a request begins with (RFC 9113, section 6.2).
const HEADERS: u8 = 1;

/// The first byte of TLS: a record of a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// The answer to a client that speaks HTTP/2 without TLS to a server with TLS.
const USE_HTTPS: &str = "this server speaks TLS: use https://";

/// The answer to a client that speaks HTTP/1 without TLS to a server with TLS.
const USE_HTTPS_IN_HTTP_1: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    This server speaks TLS: use https://\n";

/// The answer to a client that speaks TLS to a server without TLS. The client can't parse it, but some clients show the bytes.
const USE_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    This server does not speak TLS: use http://\n";

/// A connection on which HTTP/2 can begin.
pub(crate) enum Greeted {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<TlsStream<ReadAhead<TcpStream>>>),
}

/// Why HTTP/2 can't begin on a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the client speaks TLS, and this server does not: it has no --tls-cert")]
    TlsWherePlain,
    #[error("the client does not speak TLS, and this server does")]
    PlainWhereTls,
    #[error("{0}")]
    Handshake(String),
    #[error("the client did not finish connecting in time")]
    TooSlow,
    #[error("the connection broke before HTTP/2 began")]
    Gone,
}

/// Does the handshake, if there is TLS. A client that speaks something else gets an answer that says so.
///
/// # Errors
/// If the client is refused, or not ready at the deadline. The connection is then closed.
pub(crate) async fn greet(
    mut stream: TcpStream,
    tls: Option<&Tls>,
    deadline: Instant,
) -> Result<Greeted, Refusal> {
    let mut first = [0; 3];
    let looked = timeout_at(deadline, stream.peek(&mut first)).await;
    let count = looked.map_err(|_| Refusal::TooSlow)?.map_err(|_| Refusal::Gone)?;
    match (first[..count].first(), tls) {
        (None, _) => Err(Refusal::Gone),
        (Some(&TLS_HANDSHAKE), Some(tls)) => handshake(stream, tls, deadline).await,
        (Some(&TLS_HANDSHAKE), None) => {
            close_with(stream, USE_HTTP).await;
            Err(Refusal::TlsWherePlain)
        }
        (Some(_), None) => Ok(Greeted::Plain(stream)),
        (Some(_), Some(_)) => {
            // HTTP/2 begins with `PRI`, as if it were a method of HTTP/1.
            let answer = match &first[..count] {
                b"PRI" => {
                    // Many clients show the reason only if a request was sent; otherwise they just report a broken connection.
                    let _ = timeout(FIRST_REQUEST, first_request(&mut stream)).await;
                    farewell(INADEQUATE_SECURITY, USE_HTTPS)
                }
                _ => USE_HTTPS_IN_HTTP_1.to_vec(),
            };
            close_with(stream, &answer).await;
            Err(Refusal::PlainWhereTls)
        }
    }
}

async fn handshake(stream: TcpStream, tls: &Tls, deadline: Instant) -> Result<Greeted, Refusal> {
    let stream = ReadAhead::new(stream, Ahead::default());
    let accepting = TlsAcceptor::from(tls.current()).accept(stream).into_fallible();
    match timeout_at(deadline, accepting).await {
        Ok(Ok(stream)) => Ok(Greeted::Tls(Box::new(stream))),
        Ok(Err((error, stream))) => {
            // The reason is on its way already, as an alert of TLS.
            let refusal = match tls_error(&error) {
                Some(error) => Refusal::Handshake(explain(error, SIDES)),
                None => Refusal::Gone,
            };
            close_with(stream.into_inner(), &[]).await;
            Err(refusal)
        }
        Err(_) => Err(Refusal::TooSlow),
    }
}

/// Reads until the first request of HTTP/2 begins.
async fn first_request(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.read_exact(&mut [0; PREFACE_BYTES]).await?;
    loop {
        let mut header = [0; FRAME_HEADER_BYTES];
        stream.read_exact(&mut header).await?;
        let [high, middle, low, kind, ..] = header;
        if kind == HEADERS {
            return Ok(());
        }
        let payload = u64::from(u32::from_be_bytes([0, high, middle, low]));
        tokio::io::copy(&mut (&mut *stream).take(payload), &mut tokio::io::sink()).await?;
    }
}

/// Sends the last bytes, and waits until the client has closed the connection, too. Closing a socket with unread input
/// resets the connection, and the client may not see why.
async fn close_with(mut stream: TcpStream, answer: &[u8]) {
    let closing = async {
        stream.write_all(answer).await?;
        stream.shutdown().await?;
        let mut ignored = [0; 4096];
        while stream.read(&mut ignored).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // An error changes nothing: the connection ends anyway.
    let _ = timeout(LINGER, closing).await;
}
