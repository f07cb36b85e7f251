//! Reading a block.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use model::metric::Labels;
use parking_lot::RwLock;
use roaring::RoaringBitmap;

use super::cache::{Cache, Key, Kind};
use super::pages::{
    self, COLUMNS_PER_PAGE, ChunkRef, Contents, Name, SERIES_PER_PAGE, SeriesEntry, TimeColumn,
    ValuesPage, postings,
};
use super::tombstones::Tombstones;
use super::{BlockId, Column, Error, Meta};
use crate::chunk::bytes::{put_bytes, put_len};
use crate::chunk::{Damaged, TimeRange, decode_floats, decode_times, histograms};
use crate::points::Points;
use crate::store::BlockStore;

/// How much data is read at once.
const STRETCH_BYTES: u64 = 64 << 10;

/// What a chunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ChunkKind {
    Floats,
    Histograms,
    /// A column of downsampled points.
    Downsampled(Column),
}

impl ChunkKind {
    pub(crate) fn code(self) -> u8 {
        match self {
            ChunkKind::Floats => 0,
            ChunkKind::Histograms => 1,
            ChunkKind::Downsampled(column) => column.code(),
        }
    }
}

/// An open block. It is read by many threads at once.
pub struct Reader {
    store: Arc<dyn BlockStore>,
    prefix: String,
    meta: Meta,
    cache: Arc<Cache>,
    number: u64,
    pub(crate) tombstones: RwLock<Arc<Tombstones>>,
    /// Its objects go when the last one lets it go.
    doomed: AtomicBool,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("meta", &self.meta).finish_non_exhaustive()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.cache.forget(self.number);
        if self.doomed.load(Ordering::Acquire)
            && let Err(error) = self.store.delete(&data_name(&self.prefix, self.meta.id))
        {
            // It has no description any more, so that the next start removes it.
            tracing::warn!(block = %self.meta.id, %error, "data of a removed block stays behind");
        }
    }
}

pub(crate) fn data_name(prefix: &str, id: BlockId) -> String {
    format!("{prefix}/{id}/data")
}

pub(crate) fn meta_name(prefix: &str, id: BlockId) -> String {
    format!("{prefix}/{id}/meta.json")
}

pub(crate) fn tombstones_name(prefix: &str, id: BlockId) -> String {
    format!("{prefix}/{id}/tombstones.json")
}

impl Reader {
    /// Opens a block by its description; nothing else is read yet.
    pub(crate) fn new(
        store: Arc<dyn BlockStore>,
        prefix: String,
        meta: Meta,
        cache: Arc<Cache>,
    ) -> Reader {
        let number = cache.next_reader();
        let tombstones = RwLock::default();
        Reader { store, prefix, meta, cache, number, tombstones, doomed: AtomicBool::new(false) }
    }

    /// Opens a block by its number.
    pub fn open(
        store: Arc<dyn BlockStore>,
        prefix: &str,
        id: BlockId,
        cache: Arc<Cache>,
    ) -> Result<Reader, Error> {
        let json = read_all(&*store, &meta_name(prefix, id))?;
        let meta = Meta::from_json(id, &json)?;
        let reader = Reader::new(store, prefix.to_owned(), meta, cache);
        reader.load_tombstones()?;
        Ok(reader)
    }

    fn load_tombstones(&self) -> Result<(), Error> {
        let name = tombstones_name(&self.prefix, self.meta.id);
        let json = match read_all(&*self.store, &name) {
            Err(error) if error.is_missing() => return Ok(()),
            json => json?,
        };
        let tombstones = Tombstones::from_json(self, &json)?;
        *self.tombstones.write() = Arc::new(tombstones);
        Ok(())
    }

    /// The same block through a cache of its own, for reading all of it once.
    pub(crate) fn apart(&self, cache: Arc<Cache>) -> Reader {
        let meta = self.meta.clone();
        let reader = Reader::new(Arc::clone(&self.store), self.prefix.clone(), meta, cache);
        *reader.tombstones.write() = Arc::clone(&self.tombstones.read());
        reader
    }

    /// What the block says about itself.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// How many series it has.
    pub fn series_len(&self) -> Result<u32, Error> {
        Ok(self.contents()?.series)
    }

    /// Lets the block's data go with the last reader.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }

    fn damaged(&self, section: &'static str) -> impl Fn(Damaged) -> Error + use<> {
        let block = self.meta.id;
        move |damaged| Error::damaged(block, section, damaged)
    }

    fn key(&self, kind: Kind, number: u64) -> Key {
        Key { reader: self.number, kind, number }
    }

    fn range(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let bytes = self.store.get_range(&data_name(&self.prefix, self.meta.id), range.clone())?;
        if bytes.len() as u64 == range.end.saturating_sub(range.start) {
            Ok(bytes)
        } else {
            Err(self.damaged("data")(Damaged("bytes end early")))
        }
    }

    /// A part of the index that is read in one piece.
    fn section(&self, range: Range<u64>, section: &'static str) -> Result<Bytes, Error> {
        if range.start > range.end || range.end > self.meta.stats.bytes {
            return Err(self.damaged(section)(Damaged("it lies outside of the data")));
        }
        self.range(range)
    }

    pub(crate) fn contents(&self) -> Result<Arc<Contents>, Error> {
        self.cache.get(self.key(Kind::Contents, 0), || {
            let damaged = self.damaged("table of contents");
            let Some(end) = self.meta.contents.offset.checked_add(self.meta.contents.length) else {
                return Err(damaged(Damaged("it lies outside of the data")));
            };
            let bytes = self.section(self.meta.contents.offset..end, "table of contents")?;
            let page = pages::open(&bytes).map_err(&damaged)?;
            let contents = Contents::decode(&page).map_err(&damaged)?;
            let bytes = contents.bytes();
            Ok((contents, bytes))
        })
    }

    fn series_page(&self, page: usize) -> Result<Arc<Vec<SeriesEntry>>, Error> {
        self.cache.get(self.key(Kind::Series, page as u64), || {
            let damaged = self.damaged("series");
            let range = self.contents()?.series_pages.range(page);
            let range = range.ok_or_else(|| damaged(Damaged("there is no such series")))?;
            let bytes = pages::open(&self.section(range, "series")?).map_err(&damaged)?;
            let series = pages::decode_series(&bytes).map_err(&damaged)?;
            let parts = |entry: &SeriesEntry| 48 + entry.values.len() * 4 + entry.chunks.len() * 24;
            let bytes = series.iter().map(parts).sum();
            Ok((series, bytes))
        })
    }

    pub(crate) fn values_page(&self, page: usize) -> Result<Arc<ValuesPage>, Error> {
        self.cache.get(self.key(Kind::Values, page as u64), || {
            let damaged = self.damaged("label values");
            let range = self.contents()?.value_pages.range(page);
            let range = range.ok_or_else(|| damaged(Damaged("there is no such page")))?;
            let bytes = pages::open(&self.section(range, "label values")?).map_err(&damaged)?;
            let values = ValuesPage::decode(&bytes).map_err(&damaged)?;
            let bytes = values.text.len() + values.len() * 16;
            Ok((values, bytes))
        })
    }

    fn columns_page(&self, page: usize) -> Result<Arc<Vec<TimeColumn>>, Error> {
        self.cache.get(self.key(Kind::Columns, page as u64), || {
            let damaged = self.damaged("columns of timestamps");
            let range = self.contents()?.column_pages.range(page);
            let range = range.ok_or_else(|| damaged(Damaged("there is no such column")))?;
            let bytes = self.section(range, "columns of timestamps")?;
            let columns = pages::open(&bytes).and_then(|bytes| pages::decode_columns(&bytes));
            let columns = columns.map_err(&damaged)?;
            let bytes = columns.len() * size_of::<TimeColumn>();
            Ok((columns, bytes))
        })
    }

    pub(crate) fn column(&self, number: u32) -> Result<TimeColumn, Error> {
        let columns = self.columns_page(number as usize / COLUMNS_PER_PAGE)?;
        let column = columns.get(number as usize % COLUMNS_PER_PAGE).copied();
        let missing = Damaged("there is no such column");
        column.ok_or_else(|| self.damaged("columns of timestamps")(missing))
    }

    fn times(&self, number: u32, column: TimeColumn) -> Result<Arc<Vec<i64>>, Error> {
        self.cache.get(self.key(Kind::Times, number.into()), || {
            let damaged = self.damaged("timestamps");
            let bytes = self.data(column.offset, column.length)?;
            let body = pages::checked(&bytes).map_err(&damaged)?;
            let mut times = Vec::with_capacity(column.count as usize);
            decode_times(body, column.count as usize, &mut times).map_err(&damaged)?;
            let bytes = times.len() * 8;
            Ok((times, bytes))
        })
    }

    /// Bytes of the data object by way of cached stretches.
    fn data(&self, offset: u64, length: u32) -> Result<Bytes, Error> {
        let missing = || self.damaged("data")(Damaged("it lies outside of the data"));
        let limit = self.meta.stats.bytes;
        let end = offset.checked_add(length.into()).filter(|&end| end <= limit);
        let end = end.ok_or_else(missing)?;
        let stretch = offset / STRETCH_BYTES;
        if u64::from(length) > STRETCH_BYTES || end > (stretch + 2) * STRETCH_BYTES {
            return self.range(offset..end);
        }
        let part = |stretch: u64| {
            self.cache.get(self.key(Kind::Data, stretch), || {
                let start = stretch * STRETCH_BYTES;
                let bytes = self.range(start..(start + STRETCH_BYTES).min(limit))?;
                let len = bytes.len();
                Ok::<_, Error>((bytes, len))
            })
        };
        let base = stretch * STRETCH_BYTES;
        let inside = |at: u64| usize::try_from(at - base).unwrap_or(usize::MAX);
        let first = part(stretch)?;
        let border = base + STRETCH_BYTES;
        if end <= border {
            return Ok(first.slice(inside(offset)..inside(end)));
        }
        let second = part(stretch + 1)?;
        let mut joined = Vec::with_capacity(length as usize);
        joined.extend_from_slice(&first[inside(offset)..]);
        joined.extend_from_slice(&second[..usize::try_from(end - border).unwrap_or(0)]);
        Ok(Bytes::from(joined))
    }

    pub(crate) fn add_postings(
        &self,
        contents: &Contents,
        page: usize,
        values: &ValuesPage,
        at: usize,
        into: &mut RoaringBitmap,
    ) -> Result<(), Error> {
        let damaged = self.damaged("postings");
        let missing = || damaged(Damaged("they lie outside of the data"));
        let all = contents.postings.range(page).ok_or_else(missing)?;
        let part = values.postings_range(at).ok_or_else(missing)?;
        let start = all.start.saturating_add(part.start);
        let length = u32::try_from(part.end.saturating_sub(part.start)).map_err(|_| missing())?;
        let bytes = self.data(start, length)?;
        postings::decode(&bytes, contents.series, into).map_err(&damaged)
    }

    pub(crate) fn name_postings(&self, name: &Name, series: u32) -> Result<RoaringBitmap, Error> {
        let damaged = self.damaged("postings");
        let bytes = self.section(name.all.clone(), "postings")?;
        let mut found = RoaringBitmap::new();
        postings::decode(&bytes, series, &mut found).map_err(&damaged)?;
        Ok(found)
    }

    /// The labels of a series.
    pub fn labels(&self, series: u32) -> Result<Labels, Error> {
        let page = self.series_page(series as usize / SERIES_PER_PAGE)?;
        let missing = |reason| self.damaged("series")(Damaged(reason));
        let entry = page.get(series as usize % SERIES_PER_PAGE);
        let entry = entry.ok_or_else(|| missing("there is no such series"))?;
        let contents = self.contents()?;
        let mut canonical = Vec::with_capacity(128);
        for &number in &entry.values {
            let name = contents.name_of(number);
            let name = name.ok_or_else(|| missing("there is no such label"))?;
            let within = (number - name.first_value) as usize;
            let page = name.first_page as usize + within / pages::VALUES_PER_PAGE;
            let values = self.values_page(page)?;
            let value = values.value(within % pages::VALUES_PER_PAGE);
            let value = value.ok_or_else(|| missing("there is no such label value"))?;
            put_len(&mut canonical, name.name.len());
            canonical.extend_from_slice(name.name.as_bytes());
            put_bytes(&mut canonical, value.as_bytes());
        }
        Ok(Labels::from_canonical(&canonical))
    }

    /// Adds a series' samples within `time`, less what is deleted, to `into`. At the same time,
    /// what `into` had stays.
    pub fn read(
        &self,
        series: u32,
        time: TimeRange,
        column: Column,
        into: &mut Points,
    ) -> Result<(), Error> {
        let deleted = Arc::clone(&self.tombstones.read());
        self.with_entry(series, |entry| {
            if self.meta.resolution_ms > 0 {
                return self.read_downsampled(series, entry, time, column, &deleted, into);
            }
            for chunk in &entry.chunks {
                self.read_chunk(series, chunk, time, &deleted, into)?;
            }
            Ok(())
        })
    }

    pub(crate) fn with_entry<T>(
        &self,
        series: u32,
        work: impl FnOnce(&SeriesEntry) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let page = self.series_page(series as usize / SERIES_PER_PAGE)?;
        let missing = Damaged("there is no such series");
        let entry = page.get(series as usize % SERIES_PER_PAGE);
        work(entry.ok_or_else(|| self.damaged("series")(missing))?)
    }

    fn read_chunk(
        &self,
        series: u32,
        chunk: &ChunkRef,
        time: TimeRange,
        deleted: &Tombstones,
        into: &mut Points,
    ) -> Result<(), Error> {
        let Some((times, wanted, bytes)) = self.wanted(chunk, time)? else { return Ok(()) };
        let cut = deleted
            .of(series, TimeRange { start: times[wanted.start], end: times[wanted.end - 1] });
        let in_order = cut.is_empty()
            && into.timestamps.last().is_none_or(|&last| last < times[wanted.start])
            && into.histograms.last().is_none_or(|last| last.timestamp < times[wanted.start]);
        if in_order {
            return self.decode(chunk, &times, wanted, &bytes, into);
        }
        let mut apart = Points::default();
        self.decode(chunk, &times, wanted, &bytes, &mut apart)?;
        super::tombstones::remove(&cut, &mut apart);
        into.merge(&apart);
        Ok(())
    }

    /// The timestamps of a chunk, which of them are wanted, and its bytes; `None` when none is.
    #[expect(clippy::type_complexity, reason = "three parts that belong together for one call")]
    pub(crate) fn wanted(
        &self,
        chunk: &ChunkRef,
        time: TimeRange,
    ) -> Result<Option<(Arc<Vec<i64>>, Range<usize>, Bytes)>, Error> {
        let column = self.column(chunk.column)?;
        if !time.overlaps(TimeRange { start: column.min, end: column.max }) {
            return Ok(None);
        }
        let times = self.times(chunk.column, column)?;
        let wanted = time.positions(&times);
        if wanted.is_empty() {
            return Ok(None);
        }
        let bytes = self.data(chunk.offset, chunk.length)?;
        Ok(Some((times, wanted, bytes)))
    }

    /// Appends samples that come after all that `into` has.
    fn decode(
        &self,
        chunk: &ChunkRef,
        times: &[i64],
        wanted: Range<usize>,
        bytes: &[u8],
        into: &mut Points,
    ) -> Result<(), Error> {
        let damaged = self.damaged("chunk");
        let body = pages::checked(bytes).map_err(&damaged)?;
        if chunk.kind == ChunkKind::Histograms.code() {
            let decoded = histograms::decode(body, times, wanted, &mut into.histograms);
            return decoded.map_err(damaged);
        }
        if chunk.kind != ChunkKind::Floats.code() {
            return Err(damaged(Damaged("unknown kind of chunk")));
        }
        let before = into.timestamps.len();
        let had_starts = !into.starts.is_empty();
        if !had_starts {
            // Should the chunk have starts, they stand behind as many unknown ones.
            into.starts.resize(before, 0);
        }
        let count = times.len();
        let decoded =
            decode_floats(body, count, wanted.clone(), &mut into.values, &mut into.starts);
        if let Err(error) = decoded {
            into.values.truncate(before);
            into.starts.truncate(if had_starts { before } else { 0 });
            return Err(damaged(error));
        }
        into.timestamps.extend_from_slice(&times[wanted]);
        if into.starts.len() == before {
            let len = if had_starts { into.timestamps.len() } else { 0 };
            into.starts.resize(len, 0);
        }
        Ok(())
    }
}

/// All of a small object.
pub(crate) fn read_all(
    store: &dyn BlockStore,
    name: &str,
) -> Result<Bytes, crate::store::StoreError> {
    let size = store.size(name)?;
    store.get_range(name, 0..size)
}
