//! A server that passes requests on to another one, and fails as it is told.

use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::message::{Answer, Request};

/// What the proxy does with a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// Passes it on, and the answer back.
    Pass,
    /// The same after a while.
    Delay(Duration),
    /// Answers in place of the server, which does not see it.
    Refuse(Answer),
    /// Passes it on, and gives this answer in place of the server's.
    Replace(Answer),
    /// Closes the connection; the server does not see the request.
    Drop,
    /// Passes it on, and closes the connection without an answer.
    Lose,
    /// Passes it on, and breaks off after this part of the answer's body.
    Cut(f64),
    /// Passes it on twice, and gives the second answer.
    Repeat,
    /// Passes it on, and says nothing for a while, or until the client gives up; then it closes the connection.
    Stall(Duration),
    /// The same after this part of the answer's body.
    StallBody(f64, Duration),
}

/// A proxy in front of a server, on a port of its own. It ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    stalled: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy in front of this server. The closure says for each request what happens to it.
    ///
    /// # Errors
    /// No port could be had.
    pub fn start(
        server: SocketAddr,
        decide: impl Fn(&Request) -> Action + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let stalled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&stalled);
        let work = move |request: &Request, stream: &mut TcpStream| {
            treat(decide(request), request, server, stream, &count)
        };
        let mut proxy = Self::serve(work)?;
        proxy.stalled = stalled;
        Ok(proxy)
    }

    /// A server that answers each request so.
    pub(crate) fn answering(
        answer: impl Fn(&Request) -> io::Result<Answer> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::serve(move |request, stream| reply(&answer(request)?, request, stream))
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many clients wait for an answer that stalls.
    pub fn stalled(&self) -> usize {
        self.stalled.load(Ordering::SeqCst)
    }

    fn serve(
        work: impl Fn(&Request, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, work) = (Arc::clone(&is_over), Arc::new(work));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let work = Arc::clone(&work);
                // A connection that breaks is what the proxy is for.
                std::thread::spawn(move || drop(converse(stream, &*work)));
            }
        });
        Ok(Self { address, is_over, stalled: Arc::default() })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes the thread that waits for connections
    }
}

/// Serves the requests of one connection.
fn converse(
    stream: TcpStream,
    work: &(impl Fn(&Request, &mut TcpStream) -> io::Result<()> + ?Sized),
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader)? {
        work(&request, reader.get_mut())?;
    }
    Ok(())
}

fn treat(
    action: Action,
    request: &Request,
    server: SocketAddr,
    stream: &mut TcpStream,
    stalled: &AtomicUsize,
) -> io::Result<()> {
    let broken = || io::Error::from(io::ErrorKind::ConnectionAborted);
    match action {
        Action::Pass => reply(&request.send_to(server)?, request, stream),
        Action::Delay(time) => {
            std::thread::sleep(time);
            reply(&request.send_to(server)?, request, stream)
        }
        Action::Refuse(answer) => reply(&answer, request, stream),
        Action::Replace(answer) => {
            request.send_to(server)?;
            reply(&answer, request, stream)
        }
        Action::Drop => Err(broken()),
        Action::Lose => {
            request.send_to(server)?;
            Err(broken())
        }
        Action::Cut(part) => {
            send_part(&request.send_to(server)?, part, request, stream)?;
            stream.shutdown(Shutdown::Both)?;
            Err(broken())
        }
        Action::Repeat => {
            request.send_to(server)?;
            reply(&request.send_to(server)?, request, stream)
        }
        Action::Stall(time) => {
            request.send_to(server)?;
            stall(time, stream, stalled);
            Err(broken())
        }
        Action::StallBody(part, time) => {
            send_part(&request.send_to(server)?, part, request, stream)?;
            stall(time, stream, stalled);
            Err(broken())
        }
    }
}

/// Waits until the client has closed the connection, but not longer than this.
fn stall(time: Duration, stream: &mut TcpStream, stalled: &AtomicUsize) {
    stalled.fetch_add(1, Ordering::SeqCst);
    let _ = stream.set_read_timeout(Some(time));
    let _ = stream.read(&mut [0]); // a client sends nothing while it waits for an answer
    stalled.fetch_sub(1, Ordering::SeqCst);
}

/// Sends the head of an answer, and this part of its body.
fn send_part(answer: &Answer, part: f64, request: &Request, stream: &mut TcpStream) -> io::Result<()> {
    let (bytes, head_bytes) = answer.bytes(request.method == "HEAD");
    let kept = head_bytes + ((bytes.len() - head_bytes) as f64 * part) as usize;
    stream.write_all(&bytes[..kept])
}

fn reply(answer: &Answer, request: &Request, stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&answer.bytes(request.method == "HEAD").0)
}
