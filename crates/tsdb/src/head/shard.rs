//! The series under one lock.

use hashbrown::HashTable;

use super::series::Series;

/// Series lie in pages of this many, so that growing moves none.
const PAGE: usize = 64;

/// A part of a head's series.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    /// Places by hash.
    table: HashTable<u32>,
    pages: Vec<Vec<Option<Series>>>,
    free: Vec<u32>,
    /// Places that were ever used.
    used: u32,
}

impl Shard {
    /// The place of the series with these labels.
    #[inline]
    pub(crate) fn find(&self, hash: u64, labels: &[u8]) -> Option<u32> {
        let pages = &self.pages;
        let is_it = |&place: &u32| {
            get(pages, place)
                .is_some_and(|series| series.hash == hash && series.labels.as_bytes() == labels)
        };
        self.table.find(hash, is_it).copied()
    }

    /// The series at a place.
    #[inline]
    pub(crate) fn get(&self, place: u32) -> Option<&Series> {
        get(&self.pages, place)
    }

    /// The series at a place.
    #[inline]
    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut Series> {
        let place = place as usize;
        self.pages.get_mut(place / PAGE)?.get_mut(place % PAGE)?.as_mut()
    }

    /// Gives a series a place.
    pub(crate) fn insert(&mut self, series: Series) -> u32 {
        let place = self.free.pop().unwrap_or(self.used);
        self.put(place, series);
        place
    }

    /// Puts a series where the log says it was; what was there has left.
    pub(crate) fn put(&mut self, place: u32, series: Series) -> Option<Series> {
        let before = self.take(place);
        while self.used <= place {
            let page = self.used as usize / PAGE;
            if page == self.pages.len() {
                self.pages.push(Vec::with_capacity(PAGE));
            }
            self.pages[page].push(None);
            self.used += 1;
        }
        let hash = series.hash;
        let at = place as usize;
        self.pages[at / PAGE][at % PAGE] = Some(series);
        let pages = &self.pages;
        let hash_of = |&place: &u32| get(pages, place).map_or(0, |series| series.hash);
        self.table.insert_unique(hash, place, hash_of);
        before
    }

    /// Takes a series away; its place is not used again before [`Shard::release`].
    pub(crate) fn take(&mut self, place: u32) -> Option<Series> {
        let at = place as usize;
        let series = self.pages.get_mut(at / PAGE)?.get_mut(at % PAGE)?.take()?;
        if let Ok(entry) = self.table.find_entry(series.hash, |&found| found == place) {
            entry.remove();
        }
        Some(series)
    }

    /// Lets places be used again.
    pub(crate) fn release(&mut self, places: impl IntoIterator<Item = u32>) {
        self.free.extend(places);
    }

    /// After a replay: all places that are empty can be used.
    pub(crate) fn release_empty(&mut self) {
        self.free = (0..self.used).rev().filter(|&place| self.get(place).is_none()).collect();
    }

    /// Gives memory back after many series have left.
    pub(crate) fn shrink(&mut self) {
        if self.table.len() * 4 < self.table.capacity() {
            let pages = &self.pages;
            self.table.shrink_to_fit(|&place| get(pages, place).map_or(0, |series| series.hash));
        }
    }

    /// The series with their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Series)> {
        let all = self.pages.iter().flatten();
        (0..).zip(all).filter_map(|(place, series)| Some((place, series.as_ref()?)))
    }

    /// The series with their places.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Series)> {
        let all = self.pages.iter_mut().flatten();
        (0..).zip(all).filter_map(|(place, series)| Some((place, series.as_mut()?)))
    }
}

#[inline]
fn get(pages: &[Vec<Option<Series>>], place: u32) -> Option<&Series> {
    let place = place as usize;
    pages.get(place / PAGE)?.get(place % PAGE)?.as_ref()
}
