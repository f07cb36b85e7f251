//! Which series of a block a selector matches.

use std::ops::Range;

use model::metric::{MatchOp, Matcher};
use roaring::RoaringBitmap;

use super::pages::{Contents, Name, VALUES_PER_PAGE};
use super::{Error, Reader};
use crate::index::pattern::Pattern;

impl Reader {
    /// The numbers of the series that all matchers accept; they ascend as labels do.
    pub fn select(&self, matchers: &[Matcher]) -> Result<RoaringBitmap, Error> {
        let contents = self.contents()?;
        let mut found: Option<RoaringBitmap> = None;
        let mut ordered: Vec<&Matcher> = matchers.iter().collect();
        // What narrows most comes first: equality, then what needs a label to be there.
        ordered.sort_by_key(|matcher| (matcher.op != MatchOp::Equal, matcher.matches_empty()));
        for matcher in ordered {
            let negative = matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
            let includes_missing = matcher.matches_empty();
            let listed = self.with_value(&contents, matcher)?;
            // `listed` has what satisfies the expression. What is wanted is either in it or
            // apart from it, among all series or among those that have the label.
            let accepted = match (negative, includes_missing) {
                (false, false) => listed,
                (true, true) => all(&contents) - listed,
                (true, false) => self.with_name(&contents, matcher)? - listed,
                (false, true) => {
                    let missing = all(&contents) - self.with_name(&contents, matcher)?;
                    missing | listed
                }
            };
            let joined = match found.take() {
                Some(found) => found & accepted,
                None => accepted,
            };
            if joined.is_empty() {
                return Ok(joined);
            }
            found = Some(joined);
        }
        Ok(found.unwrap_or_else(|| all(&contents)))
    }

    fn with_name(&self, contents: &Contents, matcher: &Matcher) -> Result<RoaringBitmap, Error> {
        match contents.name(&matcher.name) {
            Some(name) => self.name_postings(name, contents.series),
            None => Ok(RoaringBitmap::new()),
        }
    }

    /// The series whose label has a value that satisfies the matcher's expression, its negation
    /// left aside.
    fn with_value(&self, contents: &Contents, matcher: &Matcher) -> Result<RoaringBitmap, Error> {
        let Some(name) = contents.name(&matcher.name) else { return Ok(RoaringBitmap::new()) };
        let mut found = RoaringBitmap::new();
        match Pattern::of(matcher) {
            Pattern::Never => {}
            Pattern::Any | Pattern::NotEmpty => {
                found = self.name_postings(name, contents.series)?;
            }
            Pattern::OneOf(values) => {
                for value in &values {
                    self.add_value(contents, name, value, &mut found)?;
                }
            }
            Pattern::Prefix(prefix) => {
                self.add_prefixed(contents, name, &prefix, &|_| true, &mut found)?;
            }
            Pattern::Scan { prefixes, regex } => {
                let accepts = |value: &str| regex.is_match(value);
                if prefixes.is_empty() {
                    self.add_prefixed(contents, name, "", &accepts, &mut found)?;
                }
                for prefix in &prefixes {
                    self.add_prefixed(contents, name, prefix, &accepts, &mut found)?;
                }
            }
        }
        Ok(found)
    }

    fn add_value(
        &self,
        contents: &Contents,
        name: &Name,
        value: &str,
        found: &mut RoaringBitmap,
    ) -> Result<(), Error> {
        let page = name.page_starts.partition_point(|start| start.as_str() <= value);
        let Some(page) = page.checked_sub(1) else { return Ok(()) };
        let values = self.values_page(name.first_page as usize + page)?;
        let place = (0..values.len()).find(|&at| values.value(at) == Some(value));
        let Some(at) = place else { return Ok(()) };
        self.add_postings(contents, name.first_page as usize + page, &values, at, found)
    }

    fn add_prefixed(
        &self,
        contents: &Contents,
        name: &Name,
        prefix: &str,
        accepts: &dyn Fn(&str) -> bool,
        found: &mut RoaringBitmap,
    ) -> Result<(), Error> {
        for page in pages_with(name, prefix) {
            let page = name.first_page as usize + page;
            let values = self.values_page(page)?;
            for at in 0..values.len() {
                let value = values.value(at).unwrap_or("");
                if value.starts_with(prefix) && accepts(value) {
                    self.add_postings(contents, page, &values, at, found)?;
                }
            }
        }
        Ok(())
    }

    /// The names of the labels of some or all series, sorted.
    pub fn label_names(&self, of: Option<&RoaringBitmap>) -> Result<Vec<String>, Error> {
        let contents = self.contents()?;
        let mut names = Vec::new();
        for name in &contents.names {
            let wanted = match of {
                Some(series) => !self.name_postings(name, contents.series)?.is_disjoint(series),
                None => true,
            };
            if wanted {
                names.push(name.name.clone());
            }
        }
        Ok(names)
    }

    /// The values of a label of some or all series, sorted.
    pub fn label_values(
        &self,
        name: &str,
        of: Option<&RoaringBitmap>,
    ) -> Result<Vec<String>, Error> {
        let contents = self.contents()?;
        let mut found = Vec::new();
        let Some(name) = contents.name(name) else { return Ok(found) };
        for page in 0..name.page_starts.len() {
            let page = name.first_page as usize + page;
            let values = self.values_page(page)?;
            for at in 0..values.len() {
                let wanted = match of {
                    Some(series) => {
                        let mut with_value = RoaringBitmap::new();
                        self.add_postings(&contents, page, &values, at, &mut with_value)?;
                        !with_value.is_disjoint(series)
                    }
                    None => true,
                };
                if wanted {
                    found.push(values.value(at).unwrap_or("").to_owned());
                }
            }
        }
        Ok(found)
    }

    /// For each value of a label how many series have it.
    pub fn label_value_counts(&self, name: &str) -> Result<Vec<(String, u64)>, Error> {
        let contents = self.contents()?;
        let mut counts = Vec::new();
        let Some(name) = contents.name(name) else { return Ok(counts) };
        for page in 0..name.page_starts.len() {
            let page = name.first_page as usize + page;
            let values = self.values_page(page)?;
            for at in 0..values.len() {
                let mut with_value = RoaringBitmap::new();
                self.add_postings(&contents, page, &values, at, &mut with_value)?;
                counts.push((values.value(at).unwrap_or("").to_owned(), with_value.len()));
            }
        }
        Ok(counts)
    }
}

fn all(contents: &Contents) -> RoaringBitmap {
    let mut series = RoaringBitmap::new();
    series.insert_range(0..contents.series);
    series
}

/// The pages of a name that may have values with this prefix.
fn pages_with(name: &Name, prefix: &str) -> Range<usize> {
    let first = name.page_starts.partition_point(|start| start.as_str() <= prefix);
    let behind = |start: &String| start.as_str() <= prefix || start.starts_with(prefix);
    let end = name.page_starts.partition_point(behind);
    debug_assert!(name.values as usize <= name.page_starts.len() * VALUES_PER_PAGE);
    first.saturating_sub(1)..end
}
