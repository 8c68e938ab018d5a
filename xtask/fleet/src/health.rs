//! Asking for health as gRPC does, without gRPC.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// `grpc.health.v1.Health/Check` as HTTP/2 in bytes: the preface, empty SETTINGS, HEADERS, and DATA with an empty message.
/// `deploy/haproxy/haproxy.cfg` has the same in hexadecimal.
pub(crate) const REQUEST: [&[u8]; 4] = [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\0\0\0\x04\0\0\0\0\0",
    b"\0\0\x4a\x01\x04\0\0\0\x01\x83\x86\x04\x1c/grpc.health.v1.Health/Check\x01\x08polarway\
      \0\x02te\x08trailers\x0f\x10\x10application/grpc",
    b"\0\0\x05\0\x01\0\0\0\x01\0\0\0\0\0",
];

/// The answer's message: SERVING.
pub(crate) const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";

/// Whether a server, or a balancer with one behind it, says within this time that it serves.
pub(crate) fn serves(address: SocketAddr, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    let Ok(mut stream) = TcpStream::connect_timeout(&address, within) else { return false };
    if stream.write_all(&REQUEST.concat()).is_err() {
        return false;
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
        }
        if answer.windows(SERVING.len()).any(|window| window == SERVING) {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn haproxy_asks_the_same_question() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/haproxy/haproxy.cfg");
        let text = std::fs::read_to_string(file).unwrap();
        let behind = |start: &str| -> Vec<String> {
            text.lines().filter_map(|line| line.trim().strip_prefix(start)).map(str::to_owned).collect()
        };
        let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(behind("tcp-check send-binary "), REQUEST.map(hexadecimal));
        assert_eq!(behind("tcp-check expect binary "), [hexadecimal(SERVING)]);
    }
}
