//! The connections of each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::subscriber;

/// How many connections each address has.
pub(crate) struct Addresses {
    most: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection of an address. It is no longer counted when this is dropped.
pub(crate) struct AddressPlace {
    address: IpAddr,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Addresses {
    /// Each address may have at most this many.
    pub(crate) fn with_at_most(most: usize) -> Self {
        Self { most, counts: Arc::default() }
    }

    /// The most for each address.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Counts one more; `None` if the address has the maximum.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<AddressPlace> {
        let address = subscriber(address);
        let mut counts = self.counts.lock();
        let count = counts.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(AddressPlace { address, counts: Arc::clone(&self.counts) })
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_the_networks_of_ipv6_count_as_one() {
        let addresses = Addresses::with_at_most(2);
        let enter = |address: &str| addresses.enter(address.parse().unwrap());
        let first = enter("10.0.0.1").unwrap();
        let _second = enter("::ffff:10.0.0.1").unwrap();
        assert!(enter("10.0.0.1").is_none());
        let _others = [enter("2001:db8::1").unwrap(), enter("2001:db8::2").unwrap()];
        assert!(enter("2001:db8::3").is_none());
        drop(first);
        drop(enter("10.0.0.1").unwrap());
        assert_eq!(addresses.counts.lock().len(), 2);
    }
}
