//! A proxy that breaks connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::task::JoinHandle;

/// How a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Break {
    /// Both ends see it closed.
    Close,
    /// It stays open, and nothing passes any more.
    Silence,
}

/// A proxy before a server. Its first connections break after some bytes, the later ones do not.
pub(crate) struct Proxy {
    address: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    upstream: String,
    kind: Break,
    passed: AtomicU64,
    /// How many of the next connections are to break.
    breaks_left: AtomicI64,
    /// How many have not broken yet of those that are to break.
    unbroken: AtomicI64,
    after_bytes: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl Proxy {
    /// A proxy whose first `breaks` connections break after as many bytes, both ways together, as `after_bytes` says.
    pub(crate) async fn before(
        upstream: &str,
        kind: Break,
        breaks: i64,
        after_bytes: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            kind,
            passed: AtomicU64::new(0),
            breaks_left: AtomicI64::new(breaks),
            unbroken: AtomicI64::new(breaks),
            after_bytes: Box::new(after_bytes),
        });
        let accepting = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&accepting).connect(client));
            }
        });
        Self { address, shared, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many bytes have passed.
    pub(crate) fn passed_bytes(&self) -> u64 {
        self.shared.passed.load(Ordering::Relaxed)
    }

    /// Whether as many connections broke as should.
    pub(crate) fn has_broken(&self) -> bool {
        self.shared.unbroken.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn connect(self: Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.upstream).await else { return };
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let will_break = self.breaks_left.fetch_sub(1, Ordering::Relaxed) > 0;
        let budget = AtomicI64::new(if will_break { (self.after_bytes)() as i64 } else { i64::MAX });
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let is_broken = tokio::select! {
            is_broken = self.pass(&mut from_client, &mut to_server, &budget) => is_broken,
            is_broken = self.pass(&mut from_server, &mut to_client, &budget) => is_broken,
        };
        // A connection that falls silent stays open, and nothing is read from it any more.
        if self.kind == Break::Silence && is_broken {
            std::future::pending::<()>().await;
        }
    }

    /// Passes bytes on until one side closes, or the budget is used up; says whether it was the budget.
    async fn pass(
        &self,
        from: &mut tcp::OwnedReadHalf,
        to: &mut tcp::OwnedWriteHalf,
        budget: &AtomicI64,
    ) -> bool {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let Ok(count @ 1..) = from.read(&mut buffer).await else { return false };
            let left = budget.fetch_sub(count as i64, Ordering::Relaxed);
            let passing = count.min(left.max(0) as usize);
            if to.write_all(&buffer[..passing]).await.is_err() {
                return false;
            }
            self.passed.fetch_add(passing as u64, Ordering::Relaxed);
            if passing < count {
                self.unbroken.fetch_sub(1, Ordering::Relaxed);
                return true;
            }
        }
    }
}
