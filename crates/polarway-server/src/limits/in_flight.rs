//! Calls in flight, and the bytes of their uploads, counted for each caller and in all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use polarway_core::{Caller, MemoryBudget};
use polarway_proto::Reason;
use polarway_proto::v1::Failure;

use super::Limits;

/// The retry delay of a call that found no place: most calls have ended by then.
const BUSY: Duration = Duration::from_millis(500);

/// The calls in flight.
pub(crate) struct InFlight(Arc<Shared>);

struct Shared {
    calls: usize,
    calls_per_caller: usize,
    bytes_per_caller: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    all: usize,
    /// The callers that have calls in flight.
    by_caller: HashMap<Who, Usage>,
}

struct Usage {
    calls: usize,
    memory: MemoryBudget,
}

/// Who shares a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Named(Arc<str>),
    /// All callers without a name at one address.
    At(IpAddr),
    /// Those whose address is not known.
    Unknown,
}

/// The place of one call. Dropping it frees the place.
pub(crate) struct Place {
    shared: Arc<Shared>,
    who: Who,
    memory: MemoryBudget,
}

impl InFlight {
    /// `shared_bytes` is the memory that all uploads and loads share.
    pub(crate) fn new(limits: &Limits, shared_bytes: u64) -> Self {
        Self(Arc::new(Shared {
            calls: limits.calls,
            calls_per_caller: limits.calls_per_caller,
            bytes_per_caller: limits.upload_bytes_per_caller.unwrap_or(shared_bytes / 2),
            state: Mutex::default(),
        }))
    }

    /// Takes a place for a call.
    ///
    /// # Errors
    /// This caller, or all callers together, have the maximum of calls in flight.
    pub(crate) fn enter(&self, caller: &Caller, address: Option<IpAddr>) -> Result<Place, Failure> {
        let who = match caller.is_anonymous() {
            true => Who::at(address),
            false => Who::Named(caller.shared_name()),
        };
        let mut state = self.0.state.lock();
        if state.all >= self.0.calls {
            let message =
                format!("{} calls are in flight, which is the maximum: try again later", self.0.calls);
            return Err(busy(message));
        }
        let usage = state
            .by_caller
            .entry(who.clone())
            .or_insert_with(|| Usage { calls: 0, memory: MemoryBudget::new(self.0.bytes_per_caller) });
        if usage.calls >= self.0.calls_per_caller {
            let message = format!(
                "{} calls of yours are in flight, which is the maximum: try again later",
                usage.calls
            );
            return Err(busy(message));
        }
        usage.calls += 1;
        let memory = usage.memory.clone();
        state.all += 1;
        Ok(Place { shared: Arc::clone(&self.0), who, memory })
    }
}

fn busy(message: String) -> Failure {
    Reason::ResourceExhausted.failure(message).with_retry_delay(BUSY)
}

impl Who {
    fn at(address: Option<IpAddr>) -> Self {
        address.map_or(Self::Unknown, |address| Self::At(subscriber(address)))
    }
}

/// The address that stands for all addresses of one subscriber: with IPv6, each subscriber has a whole network.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl Place {
    /// The memory for this caller's uploads.
    pub(crate) fn memory(&self) -> &MemoryBudget {
        &self.memory
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.all -= 1;
        if let Some(usage) = state.by_caller.get_mut(&self.who) {
            usage.calls -= 1;
            if usage.calls == 0 {
                state.by_caller.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_flight(calls: usize, calls_per_caller: usize) -> InFlight {
        InFlight::new(&Limits { calls, calls_per_caller, ..Limits::default() }, 1 << 20)
    }

    fn refused(entered: Result<Place, Failure>) -> (String, bool) {
        let failure = entered.err().expect("it was let in");
        assert_eq!(failure.reason, Reason::ResourceExhausted.as_str());
        (failure.message.clone(), failure.retry_delay().is_some())
    }

    #[test]
    fn a_caller_has_its_own_limit_and_all_have_one_together() {
        let in_flight = in_flight(4, 2);
        let (a, b, c) = (Caller::named("a"), Caller::named("b"), Caller::named("c"));
        let places: Vec<_> = [&a, &a, &b].map(|caller| in_flight.enter(caller, None).unwrap()).into();
        let (message, has_delay) = refused(in_flight.enter(&a, None));
        assert!(message.contains("2 calls of yours") && has_delay, "{message}");
        let fourth = in_flight.enter(&c, None).unwrap();
        let (message, has_delay) = refused(in_flight.enter(&b, None));
        assert!(message.contains("4 calls are in flight") && has_delay, "{message}");
        drop(fourth);
        drop(in_flight.enter(&b, None).unwrap());
        drop(places);
        assert!(in_flight.0.state.lock().by_caller.is_empty());
        assert_eq!(in_flight.0.state.lock().all, 0);
    }

    #[test]
    fn callers_without_a_name_are_told_apart_by_their_addresses() {
        let in_flight = in_flight(100, 1);
        let nobody = Caller::anonymous();
        let enter = |address: &str| in_flight.enter(&nobody, Some(address.parse().unwrap()));
        let _places = ["10.0.0.1", "10.0.0.2", "2001:db8:0:1::1", "2001:db8:0:2::1"]
            .map(|address| enter(address).unwrap());
        for address in ["10.0.0.1", "::ffff:10.0.0.2", "2001:db8:0:1:ffff::2"] {
            refused(enter(address));
        }
        // A name is a caller, wherever it calls from.
        let named = Caller::named("a");
        let _place = in_flight.enter(&named, Some("10.0.0.1".parse().unwrap())).unwrap();
        refused(in_flight.enter(&named, Some("10.0.0.9".parse().unwrap())));
    }

    #[test]
    fn calls_of_one_caller_share_the_memory_for_what_they_bring() {
        let in_flight = InFlight::new(&Limits { upload_bytes_per_caller: Some(7), ..Limits::default() }, 0);
        let enter = |name: &'static str| in_flight.enter(&Caller::named(name), None).unwrap();
        let (first, second, other) = (enter("a"), enter("a"), enter("b"));
        let _taken = first.memory().try_reserve(5).unwrap();
        assert_eq!((second.memory().used(), other.memory().used()), (5, 0));
        assert_eq!(second.memory().capacity(), 7);
    }
}
