//! A server that passes requests on to another one, and fails as it is told.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Passes it on, and says nothing for a while; then it closes the connection.
    Stall(Duration),
}

/// A proxy in front of a server, on a port of its own. It ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
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
        Self::serve(move |request, stream| treat(decide(request), request, server, stream))
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
        Ok(Self { address, is_over })
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

fn treat(action: Action, request: &Request, server: SocketAddr, stream: &mut TcpStream) -> io::Result<()> {
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
            let answer = request.send_to(server)?;
            let (bytes, head_bytes) = answer.bytes(request.method == "HEAD");
            let kept = head_bytes + ((bytes.len() - head_bytes) as f64 * part) as usize;
            stream.write_all(&bytes[..kept])?;
            stream.shutdown(Shutdown::Both)?;
            Err(broken())
        }
        Action::Repeat => {
            request.send_to(server)?;
            reply(&request.send_to(server)?, request, stream)
        }
        Action::Stall(time) => {
            request.send_to(server)?;
            std::thread::sleep(time);
            Err(broken())
        }
    }
}

fn reply(answer: &Answer, request: &Request, stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&answer.bytes(request.method == "HEAD").0)
}
