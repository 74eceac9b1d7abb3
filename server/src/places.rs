//! Who may have how many of something: of connections, of calls under way, of streams.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places, of which everybody gets a share. Cheap to clone.
#[derive(Debug)]
pub struct Places<K: Hash + Eq>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    most: usize,
    share: usize,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    all: usize,
    /// Only those who have some, so that this is as bounded as the places.
    by: HashMap<K, usize>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// None is left.
    All,
    /// Whoever asks has its share.
    Share,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place<K: Hash + Eq> {
    places: Places<K>,
    of: K,
}

impl<K: Hash + Eq> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Hash + Eq> Places<K> {
    /// So many in all, and for each who takes some; a share of 0 is no limit of its own.
    pub fn new(most: usize, share: usize) -> Self {
        let share = if share == 0 { most } else { share };
        let taken = Mutex::new(Taken { all: 0, by: HashMap::new() });
        Self(Arc::new(Inner { most, share, taken }))
    }

    fn lock(&self) -> MutexGuard<'_, Taken<K>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Places<K> {
    /// Takes a place.
    ///
    /// # Errors
    /// If there is none, or whoever asks has its share.
    pub fn take(&self, of: K) -> Result<Place<K>, Full> {
        let mut taken = self.lock();
        if taken.all >= self.0.most {
            return Err(Full::All);
        }
        let has = taken.by.get(&of).copied().unwrap_or(0);
        if has >= self.0.share {
            return Err(Full::Share);
        }
        taken.all = taken.all.saturating_add(1);
        taken.by.insert(of.clone(), has.saturating_add(1));
        Ok(Place { places: self.clone(), of })
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all = taken.all.saturating_sub(1);
        match taken.by.get_mut(&self.of) {
            Some(has) if *has > 1 => *has = has.saturating_sub(1),
            _ => {
                taken.by.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_a_share_and_all_together_what_there_is() {
        let places = Places::new(3, 2);
        let held = [places.take(1).unwrap(), places.take(1).unwrap()];
        assert_eq!(places.take(1).unwrap_err(), Full::Share);
        let other = places.take(2).unwrap();
        assert_eq!(places.take(3).unwrap_err(), Full::All);
        drop(held);
        let again = [places.take(1).unwrap(), places.take(3).unwrap()];
        drop((again, other));
        let taken = places.lock();
        assert!(taken.all == 0 && taken.by.is_empty(), "{taken:?}");
    }
}
