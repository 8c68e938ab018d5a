//! A network line with a delay and a rate, for measurements.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The most bytes that are passed on at a time.
const PIECE_BYTES: usize = 128 << 10;

/// How many pieces may be on the line of one connection.
const MOST_PIECES: usize = 512;

/// A line to a server, on a port of its own. Each connection has the delay, on the way to the server, and the rate, in both
/// directions. It ends when it is dropped.
pub struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    is_over: AtomicBool,
    received: AtomicU64,
}

impl Line {
    /// A line to this server. `bytes_per_second` is the rate of one connection.
    ///
    /// # Errors
    /// No port could be had.
    pub fn start(server: SocketAddr, delay: Duration, bytes_per_second: f64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { is_over: AtomicBool::new(false), received: AtomicU64::new(0) });
        let for_connections = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if for_connections.is_over.load(Ordering::SeqCst) {
                    return;
                }
                // A connection that breaks ends for both.
                if let Ok(server) = TcpStream::connect(server) {
                    let _ = connect(client, server, delay, bytes_per_second, &for_connections);
                }
            }
        });
        Ok(Self { address, shared })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bytes that the server has sent over it.
    pub fn received_bytes(&self) -> u64 {
        self.shared.received.load(Ordering::SeqCst)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes the thread that waits for connections
    }
}

/// Starts the threads of one connection.
fn connect(
    client: TcpStream,
    server: TcpStream,
    delay: Duration,
    bytes_per_second: f64,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (mut from_client, mut to_client) = (client.try_clone()?, client);
    let (mut from_server, mut to_server) = (server.try_clone()?, server);
    let (sender, delayed) = mpsc::sync_channel::<(Instant, Vec<u8>)>(MOST_PIECES);
    thread::spawn(move || {
        let mut pace = Pace::new(bytes_per_second);
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(length @ 1..) = from_client.read(&mut piece) {
            pace.pass(length);
            if sender.send((Instant::now() + delay, piece[..length].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, piece) in delayed {
            sleep_until(due);
            if to_server.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut pace = Pace::new(bytes_per_second);
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(length @ 1..) = from_server.read(&mut piece) {
            pace.pass(length);
            shared.received.fetch_add(length as u64, Ordering::SeqCst);
            if to_client.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        for stream in [to_client, from_server] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    Ok(())
}

/// Keeps one direction of a connection to its rate.
struct Pace {
    bytes_per_second: f64,
    /// When what was passed on so far is through.
    free: Instant,
}

impl Pace {
    fn new(bytes_per_second: f64) -> Self {
        Self { bytes_per_second, free: Instant::now() }
    }

    /// Waits until so many bytes are through.
    fn pass(&mut self, bytes: usize) {
        let time = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        // A line that was silent does not catch up; a thread that woke late does.
        self.free = self.free.max(Instant::now() - LATE) + time;
        sleep_until(self.free);
    }
}

/// How late a thread may wake.
const LATE: Duration = Duration::from_millis(4);

fn sleep_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives_whole_and_its_answer_is_counted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = listener.local_addr().unwrap();
        let echo = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        });
        let delay = Duration::from_millis(30);
        let line = Line::start(server, delay, 90e6).unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let began = Instant::now();
        let mut stream = TcpStream::connect(line.address()).unwrap();
        stream.write_all(&sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut came = Vec::new();
        stream.read_to_end(&mut came).unwrap();
        assert!(came == sent && line.received_bytes() == sent.len() as u64);
        assert!(began.elapsed() >= delay);
        echo.join().unwrap();
    }
}
