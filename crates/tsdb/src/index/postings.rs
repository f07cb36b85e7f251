//! A set of series numbers that takes few bytes when it is small.

use roaring::RoaringBitmap;

/// Up to this many numbers are kept in a sorted list.
pub(super) const FEW_MAX: usize = 16;

/// Series numbers. Most label values belong to one series or to very many.
#[derive(Debug)]
pub(crate) enum Postings {
    /// One.
    One(u32),
    /// A few, sorted.
    #[expect(clippy::box_collection, reason = "the set itself is kept small; most have one number")]
    Few(Box<Vec<u32>>),
    /// Many.
    Many(Box<RoaringBitmap>),
}

impl Postings {
    /// Adds a number.
    pub(crate) fn insert(&mut self, series: u32) {
        match self {
            Postings::One(one) if *one == series => {}
            Postings::One(one) => {
                let few = if *one < series { vec![*one, series] } else { vec![series, *one] };
                *self = Postings::Few(Box::new(few));
            }
            Postings::Few(few) => {
                if let Err(at) = few.binary_search(&series) {
                    if few.len() < FEW_MAX {
                        few.insert(at, series);
                    } else {
                        let mut many: RoaringBitmap = few.iter().copied().collect();
                        many.insert(series);
                        *self = Postings::Many(Box::new(many));
                    }
                }
            }
            Postings::Many(many) => {
                many.insert(series);
            }
        }
    }

    /// Takes a number away; says whether none is left.
    pub(crate) fn remove(&mut self, series: u32) -> bool {
        match self {
            Postings::One(one) => *one == series,
            Postings::Few(few) => {
                few.retain(|&one| one != series);
                few.is_empty()
            }
            Postings::Many(many) => {
                many.remove(series);
                many.is_empty()
            }
        }
    }

    /// Adds all numbers to `found`.
    pub(crate) fn add_to(&self, found: &mut RoaringBitmap) {
        match self {
            Postings::One(one) => {
                found.insert(*one);
            }
            Postings::Few(few) => found.extend(few.iter().copied()),
            Postings::Many(many) => *found |= &**many,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Postings::One(_) => 1,
            Postings::Few(few) => few.len(),
            Postings::Many(many) => usize::try_from(many.len()).unwrap_or(usize::MAX),
        }
    }

    /// How many of them are in `series`.
    pub(crate) fn intersection_len(&self, series: &RoaringBitmap) -> usize {
        match self {
            Postings::One(one) => usize::from(series.contains(*one)),
            Postings::Few(few) => few.iter().filter(|&&one| series.contains(one)).count(),
            Postings::Many(many) => {
                usize::try_from(many.intersection_len(series)).unwrap_or(usize::MAX)
            }
        }
    }

    /// Whether one of them is in `series`.
    pub(crate) fn intersects(&self, series: &RoaringBitmap) -> bool {
        match self {
            Postings::One(one) => series.contains(*one),
            Postings::Few(few) => few.iter().any(|&one| series.contains(one)),
            Postings::Many(many) => !many.is_disjoint(series),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_and_go() {
        let mut postings = Postings::One(500);
        for series in (0..100).rev() {
            postings.insert(series * 7);
            postings.insert(series * 7);
        }
        assert_eq!(postings.len(), 101);
        let mut found = RoaringBitmap::new();
        postings.add_to(&mut found);
        assert!(found.contains(500) && found.contains(0) && found.contains(693));
        assert!(postings.intersects(&RoaringBitmap::from_iter([500])));
        assert!(!postings.intersects(&RoaringBitmap::from_iter([501])));
        assert!(!postings.remove(500));
        for series in 1..100 {
            assert!(!postings.remove(series * 7));
        }
        assert!(postings.remove(0));
        assert_eq!(size_of::<Postings>(), 16);
    }
}
