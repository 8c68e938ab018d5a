//! Messages of HTTP/1.1 as the clients of buckets send them: small heads, and bodies of a known length.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::sign::decoded;

/// How long a peer may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// The longest head.
const MOST_HEAD_BYTES: u64 = 64 << 10;

/// The longest body: one part of an upload, and some.
const MOST_BODY_BYTES: u64 = 256 << 20;

/// Names and values, in their order. Names are in lower case.
type Headers = Vec<(String, String)>;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method, such as `PUT`.
    pub method: String,
    /// Path and query, as they were sent.
    pub target: String,
    pub(crate) headers: Headers,
    /// Its body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status, such as 200.
    pub status: u16,
    pub(crate) headers: Headers,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    /// Its path without the query, decoded: services differ in which characters their clients encode.
    pub fn path(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        String::from_utf8_lossy(&decoded(path)).into_owned()
    }

    /// A request without headers and body.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Sets a header, in place of those of the same name.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Removes a header, and gives its value.
    pub(crate) fn remove(&mut self, name: &str) -> Option<String> {
        let found = self.header(name).map(str::to_owned);
        self.headers.retain(|(known, _)| known != name);
        found
    }

    /// Whether it only reads.
    pub fn is_read(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// Reads the next request of a connection; `None` at its end.
    pub(crate) fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let Some((first, headers)) = read_head(from)? else { return Ok(None) };
        let mut words = first.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(io::Error::other("no request line"));
        };
        let (method, target) = (method.to_owned(), target.to_owned());
        if value(&headers, "expect").is_some() {
            from.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = match value(&headers, "content-length") {
            Some(length) => read_exactly(from, length)?,
            None => Vec::new(),
        };
        Ok(Some(Self { method, target, headers, body }))
    }

    /// Sends it to a server over a connection of its own, and reads the answer.
    ///
    /// # Errors
    /// The server can't be reached, or breaks off.
    pub fn send_to(&self, server: SocketAddr) -> io::Result<Answer> {
        let stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_nodelay(true)?;
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let own = ["connection", "content-length", "expect"];
        for (name, value) in self.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", self.body.len()));
        let mut reader = BufReader::new(stream);
        reader.get_mut().write_all(&[head.as_bytes(), &self.body].concat())?;
        Answer::read(&mut reader, self.method == "HEAD")
    }
}

impl Answer {
    /// An answer with a status and a body of text.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into().into_bytes() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    fn read(from: &mut BufReader<TcpStream>, is_head: bool) -> io::Result<Self> {
        let (first, headers) = read_head(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("no status line"))?;
        let body = match value(&headers, "content-length") {
            _ if is_head || status == 204 || status == 304 => Vec::new(),
            Some(length) => read_exactly(from, length)?,
            None if value(&headers, "transfer-encoding") == Some("chunked") => read_chunks(from)?,
            None => {
                let mut body = Vec::new();
                from.take(MOST_BODY_BYTES).read_to_end(&mut body)?;
                body
            }
        };
        Ok(Self { status, headers, body })
    }

    /// The answer to a request, as bytes, and how many of these are its head.
    pub(crate) fn bytes(&self, is_head: bool) -> (Vec<u8>, usize) {
        let own = ["connection", "transfer-encoding", "content-length"];
        let mut head = format!("HTTP/1.1 {} -\r\n", self.status);
        for (name, value) in self.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // The answer to a HEAD says how long the body would be.
        let length = match value(&self.headers, "content-length") {
            Some(length) if is_head => length.to_owned(),
            _ => self.body.len().to_string(),
        };
        if self.status != 204 {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        head.push_str("\r\n");
        let head_bytes = head.len();
        let mut bytes = head.into_bytes();
        if !is_head {
            bytes.extend_from_slice(&self.body);
        }
        (bytes, head_bytes)
    }
}

/// The value of a header.
pub(crate) fn value<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn read_head(from: &mut BufReader<TcpStream>) -> io::Result<Option<(String, Headers)>> {
    let mut head = from.by_ref().take(MOST_HEAD_BYTES);
    let mut first = String::new();
    if head.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        head.read_line(&mut line)?;
        let line = line.trim_end();
        match line.split_once(':') {
            Some((name, value)) => headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned())),
            None if line.is_empty() => return Ok(Some((first.trim_end().to_owned(), headers))),
            None => return Err(io::Error::other("a header without a value")),
        }
    }
}

fn read_exactly(from: &mut BufReader<TcpStream>, length: &str) -> io::Result<Vec<u8>> {
    let length: u64 = length.parse().map_err(io::Error::other)?;
    let mut body = Vec::new();
    from.take(length.min(MOST_BODY_BYTES)).read_to_end(&mut body)?;
    if body.len() as u64 == length { Ok(body) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn read_chunks(from: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
        body.extend(read_exactly(from, &length.to_string())?);
        from.read_line(&mut line)?;
        if length == 0 {
            return Ok(body);
        }
    }
}
