//! Writing a block: series by series, in order of their labels.
//!
//! Chunks and columns of timestamps go to the data file as they come; what is known of each series
//! goes to a second file beside it, because the numbers of label values are known only at the end.
//! In memory are the distinct label values with their postings and a hash for each distinct column
//! of timestamps.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;
use model::metric::{Labels, LabelsIter};
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::{Xxh3DefaultBuilder, xxh3_128};

use super::meta::VERSION;
use super::pages::{
    self, COLUMNS_PER_PAGE, ChunkRef, Contents, Name, PageTable, SERIES_PER_PAGE, SeriesEntry,
    TimeColumn, VALUES_PER_PAGE, ValuesPage, postings,
};
use super::{BlockId, ChunkKind, Error, Meta, Section, Stats};
use crate::chunk::bytes::{put_bytes, put_len, put_varint};
use crate::chunk::{Effort, SAMPLES_MAX, encode_floats, encode_times, histograms};
use crate::points::{HistogramPoint, Points};

/// What a data object begins with.
pub(crate) const MAGIC: &[u8; 8] = b"TREFBLK1";

/// Samples of a chunk unless options say otherwise.
const CHUNK_SAMPLES: usize = SAMPLES_MAX / 2;

/// Columns of timestamps that are looked up; beyond, equal ones may be stored twice.
const SHARED_COLUMNS_MAX: usize = 1 << 20;

/// How a block is written.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// A local directory for the files being made.
    pub scratch: PathBuf,
    /// How much time may be taken to make it small.
    pub effort: Effort,
    /// The distance of downsampled points, milliseconds; 0 means as they came.
    pub resolution_ms: i64,
    /// How often its samples were merged.
    pub level: u32,
    /// Which blocks it replaces.
    pub sources: Vec<BlockId>,
    /// The blocks of fresh samples that went into it; empty means that it is one itself.
    pub origins: Vec<BlockId>,
}

/// A label value while it is written.
#[derive(Debug, Default)]
struct Value {
    series: RoaringBitmap,
}

/// A block being written. Dropping it removes its files.
#[derive(Debug)]
pub struct Writer {
    id: BlockId,
    options: WriterOptions,
    mark: u64,
    data: BufWriter<File>,
    data_path: PathBuf,
    offset: u64,
    spool: BufWriter<File>,
    spool_path: PathBuf,
    /// By the label in canonical form.
    values: HashMap<Box<[u8]>, u32, Xxh3DefaultBuilder>,
    postings: Vec<Value>,
    columns: Vec<TimeColumn>,
    column_of: HashMap<u128, u32, Xxh3DefaultBuilder>,
    last: Option<Labels>,
    last_values: Vec<u32>,
    series: u32,
    stats: Stats,
    min_time: i64,
    max_time: i64,
    buffer: Vec<u8>,
}

/// A block whose data file is whole, not yet in the store.
#[derive(Debug)]
pub struct Finished {
    /// What it says about itself.
    pub meta: Meta,
    /// The data file; removed on drop unless it was taken away.
    pub(crate) data: Temporary,
}

/// A file that vanishes with its owner.
#[derive(Debug)]
pub(crate) struct Temporary(pub(crate) PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "file of a block being made stays behind");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        remove(&self.spool_path);
        if !self.data_path.as_os_str().is_empty() {
            remove(&self.data_path);
        }
    }
}

impl Writer {
    /// Begins a block.
    pub fn create(id: BlockId, options: WriterOptions) -> Result<Writer, Error> {
        std::fs::create_dir_all(&options.scratch)?;
        let data_path = options.scratch.join(format!("{id}.data"));
        let spool_path = options.scratch.join(format!("{id}.series"));
        let mut data = BufWriter::with_capacity(1 << 18, File::create(&data_path)?);
        data.write_all(MAGIC)?;
        let spool = BufWriter::with_capacity(1 << 16, File::create(&spool_path)?);
        Ok(Writer {
            id,
            options,
            mark: 0,
            data,
            data_path,
            offset: MAGIC.len() as u64,
            spool,
            spool_path,
            values: HashMap::default(),
            postings: Vec::new(),
            columns: Vec::new(),
            column_of: HashMap::default(),
            last: None,
            last_values: Vec::new(),
            series: 0,
            stats: Stats::default(),
            min_time: i64::MAX,
            max_time: i64::MIN,
            buffer: Vec::new(),
        })
    }

    /// A number of the caller's, found again in [`Meta::mark`].
    pub fn set_mark(&mut self, mark: u64) {
        self.mark = mark;
    }

    /// Whether no sample was added so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series == 0
    }

    /// Adds a series; it comes after the one before in order of labels, its samples in order of
    /// time. A series without samples is passed over.
    pub fn add(&mut self, labels: &Labels, points: &Points) -> Result<(), Error> {
        let mut chunks = Vec::new();
        self.add_floats(labels, points, &mut chunks)?;
        self.add_histograms(labels, &points.histograms, &mut chunks)?;
        self.finish_series(labels, &chunks)
    }

    /// Adds a series of downsampled points: for each kind its timestamps and values.
    pub(crate) fn add_columns(
        &mut self,
        labels: &Labels,
        columns: &[(ChunkKind, &[i64], &[f64])],
        histograms: &[HistogramPoint],
        raw_samples: u64,
    ) -> Result<(), Error> {
        let mut chunks = Vec::new();
        for &(kind, timestamps, values) in columns {
            let parts = timestamps.chunks(CHUNK_SAMPLES).zip(values.chunks(CHUNK_SAMPLES));
            for (timestamps, values) in parts {
                let column = self.column(labels, timestamps)?;
                let mut bytes = std::mem::take(&mut self.buffer);
                encode_floats(values, &[], self.options.effort, &mut bytes);
                chunks.push(self.put_chunk(kind, column, bytes)?);
            }
        }
        self.stats.floats += raw_samples;
        self.add_histograms(labels, histograms, &mut chunks)?;
        self.finish_series(labels, &chunks)
    }

    fn add_floats(
        &mut self,
        labels: &Labels,
        points: &Points,
        chunks: &mut Vec<ChunkRef>,
    ) -> Result<(), Error> {
        let count = points.timestamps.len();
        self.stats.floats += count as u64;
        // Parts of equal size, so that none is tiny.
        let parts = count.div_ceil(CHUNK_SAMPLES).max(1);
        let part_len = count.div_ceil(parts).max(1);
        for start in (0..count).step_by(part_len) {
            let part = start..(start + part_len).min(count);
            let column = self.column(labels, &points.timestamps[part.clone()])?;
            let starts = points.starts.get(part.clone()).unwrap_or(&[]);
            let mut bytes = std::mem::take(&mut self.buffer);
            encode_floats(&points.values[part], starts, self.options.effort, &mut bytes);
            chunks.push(self.put_chunk(ChunkKind::Floats, column, bytes)?);
        }
        Ok(())
    }

    fn add_histograms(
        &mut self,
        labels: &Labels,
        points: &[HistogramPoint],
        chunks: &mut Vec<ChunkRef>,
    ) -> Result<(), Error> {
        if points.iter().any(|point| !histograms::is_sound(&point.histogram)) {
            return Err(Error::Unfit("a histogram's buckets are not those of its spans"));
        }
        self.stats.histograms += points.len() as u64;
        let mut rest = points;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(histograms::chunk_len(rest, CHUNK_SAMPLES));
            let timestamps: Vec<i64> = part.iter().map(|point| point.timestamp).collect();
            let column = self.column(labels, &timestamps)?;
            let mut bytes = std::mem::take(&mut self.buffer);
            histograms::encode(part, self.options.effort, &mut bytes);
            chunks.push(self.put_chunk(ChunkKind::Histograms, column, bytes)?);
            rest = after;
        }
        Ok(())
    }

    /// The number of the column of these timestamps, written unless an equal one was before.
    fn column(&mut self, labels: &Labels, timestamps: &[i64]) -> Result<u32, Error> {
        let (Some(&min), Some(&max)) = (timestamps.first(), timestamps.last()) else {
            return Err(Error::Order(labels.to_string()));
        };
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.extend(timestamps.iter().flat_map(|timestamp| timestamp.to_le_bytes()));
        let hash = xxh3_128(&bytes);
        bytes.clear();
        if let Some(&column) = self.column_of.get(&hash) {
            self.buffer = bytes;
            return Ok(column);
        }
        if !timestamps.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(Error::Order(labels.to_string()));
        }
        encode_times(timestamps, self.options.effort, &mut bytes);
        let (offset, length) = self.put_checked(bytes)?;
        self.stats.time_bytes += u64::from(length);
        let count =
            u32::try_from(timestamps.len()).map_err(|_| Error::Unfit("too many samples"))?;
        let column = u32::try_from(self.columns.len());
        let column = column.map_err(|_| Error::Unfit("too many columns of timestamps"))?;
        self.columns.push(TimeColumn { offset, length, count, min, max });
        if self.column_of.len() < SHARED_COLUMNS_MAX {
            self.column_of.insert(hash, column);
        }
        self.min_time = self.min_time.min(min);
        self.max_time = self.max_time.max(max);
        Ok(column)
    }

    fn put_chunk(
        &mut self,
        kind: ChunkKind,
        column: u32,
        bytes: Vec<u8>,
    ) -> Result<ChunkRef, Error> {
        let (offset, length) = self.put_checked(bytes)?;
        self.stats.value_bytes += u64::from(length);
        self.stats.chunks += 1;
        Ok(ChunkRef { kind: kind.code(), column, offset, length })
    }

    /// Writes bytes with their checksum and takes their memory back.
    fn put_checked(&mut self, mut bytes: Vec<u8>) -> Result<(u64, u32), Error> {
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        self.data.write_all(&bytes)?;
        let length = u32::try_from(bytes.len()).map_err(|_| Error::Unfit("chunk is too long"))?;
        let offset = self.offset;
        self.offset += u64::from(length);
        bytes.clear();
        self.buffer = bytes;
        Ok((offset, length))
    }

    fn finish_series(&mut self, labels: &Labels, chunks: &[ChunkRef]) -> Result<(), Error> {
        if chunks.is_empty() {
            return Ok(());
        }
        if self.last.as_ref().is_some_and(|last| last >= labels) {
            return Err(Error::Order(labels.to_string()));
        }
        let series = self.series;
        self.series = series.checked_add(1).ok_or(Error::Unfit("too many series"))?;
        let mut values = Vec::with_capacity(self.last_values.len());
        let mut label = std::mem::take(&mut self.buffer);
        for (name, text) in labels.iter() {
            label.clear();
            put_bytes(&mut label, name.as_bytes());
            put_bytes(&mut label, text.as_bytes());
            let value = self.value(&label)?;
            self.postings[value as usize].series.insert(series);
            values.push(value);
        }
        label.clear();
        self.buffer = label;
        self.spool_series(&values, chunks)?;
        (self.last, self.last_values) = (Some(labels.clone()), values);
        Ok(())
    }

    /// The number of a label, for the time being.
    fn value(&mut self, label: &[u8]) -> Result<u32, Error> {
        if let Some(&value) = self.values.get(label) {
            return Ok(value);
        }
        let value = u32::try_from(self.postings.len());
        let value = value.map_err(|_| Error::Unfit("too many label values"))?;
        self.values.insert(label.into(), value);
        self.postings.push(Value::default());
        Ok(value)
    }

    fn spool_series(&mut self, values: &[u32], chunks: &[ChunkRef]) -> Result<(), Error> {
        let mut bytes = std::mem::take(&mut self.buffer);
        put_len(&mut bytes, values.len());
        values.iter().for_each(|&value| put_varint(&mut bytes, value.into()));
        put_len(&mut bytes, chunks.len());
        for chunk in chunks {
            put_varint(&mut bytes, chunk.kind.into());
            put_varint(&mut bytes, chunk.column.into());
            put_varint(&mut bytes, chunk.offset);
            put_varint(&mut bytes, chunk.length.into());
        }
        self.spool.write_all(&bytes)?;
        bytes.clear();
        self.buffer = bytes;
        Ok(())
    }

    /// Writes the index. `None` when no series was added.
    pub fn finish(mut self) -> Result<Option<Finished>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut contents = Contents { series: self.series, ..Contents::default() };
        contents.columns =
            pages::to_u32(self.columns.len()).map_err(|_| Error::Unfit("columns"))?;
        let final_numbers = self.put_values(&mut contents)?;
        contents.series_pages = self.put_series(&final_numbers)?;
        let columns = std::mem::take(&mut self.columns);
        contents.column_pages = PageTable::starting_at(self.offset);
        for page in columns.chunks(COLUMNS_PER_PAGE) {
            let len = self.put_page(&pages::encode_columns(page))?;
            contents.column_pages.push(len);
        }
        let offset = self.offset;
        let length = self.put_page(&contents.encode())? as u64;
        self.data.flush()?;
        self.stats.series = self.series.into();
        self.stats.time_columns = columns.len() as u64;
        self.stats.bytes = self.offset;
        let mut origins = std::mem::take(&mut self.options.origins);
        if origins.is_empty() {
            origins.push(self.id);
        }
        let meta = Meta {
            version: VERSION,
            id: self.id,
            min_time: self.min_time,
            max_time: self.max_time,
            resolution_ms: self.options.resolution_ms,
            level: self.options.level,
            sources: std::mem::take(&mut self.options.sources),
            origins,
            mark: self.mark,
            stats: self.stats,
            contents: Section { offset, length },
        };
        let data = Temporary(std::mem::take(&mut self.data_path));
        Ok(Some(Finished { meta, data }))
    }

    fn put_page(&mut self, page: &[u8]) -> Result<usize, Error> {
        let mut bytes = Vec::new();
        let len = pages::seal(page, &mut bytes)?;
        self.put_raw(&bytes)?;
        Ok(len)
    }

    fn put_raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.data.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Writes postings and pages of values. Returns the final number of each value.
    fn put_values(&mut self, contents: &mut Contents) -> Result<Vec<u32>, Error> {
        let mut sorted: Vec<(Box<[u8]>, u32)> =
            std::mem::take(&mut self.values).into_iter().collect();
        let split = |label: &[u8]| {
            LabelsIter::new(label).next().map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        sorted.sort_unstable_by(|(one, _), (other, _)| {
            LabelsIter::new(one).next().cmp(&LabelsIter::new(other).next())
        });
        let all_postings = std::mem::take(&mut self.postings);
        let mut final_numbers = vec![0u32; sorted.len()];
        let mut sealed = Vec::new();
        let mut page_lens = Vec::new();
        contents.postings = PageTable::starting_at(self.offset);
        let mut number = 0u32;
        let mut at = 0;
        while at < sorted.len() {
            let Some((name, _)) = split(&sorted[at].0) else { break };
            let same = |(label, _): &&(Box<[u8]>, u32)| {
                LabelsIter::new(label).next().is_some_and(|(other, _)| other == name)
            };
            let count = sorted[at..].iter().take_while(same).count();
            let labels = &sorted[at..at + count];
            let mut entry = Name {
                name,
                first_value: number,
                values: pages::to_u32(count).map_err(|_| Error::Unfit("values"))?,
                first_page: 0,
                page_starts: Vec::new(),
                all: 0..0,
            };
            let mut all = RoaringBitmap::new();
            for page_labels in labels.chunks(VALUES_PER_PAGE) {
                let mut page = ValuesPage::default();
                let mut postings_bytes = Vec::new();
                for (label, provisional) in page_labels {
                    let before = postings_bytes.len();
                    let series = &all_postings[*provisional as usize].series;
                    postings::encode(series, &mut postings_bytes)?;
                    all |= series;
                    let value = LabelsIter::new(label).next().map_or("", |(_, value)| value);
                    page.push(value, postings_bytes.len() - before);
                    final_numbers[*provisional as usize] = number;
                    number += 1;
                }
                self.put_raw(&postings_bytes)?;
                contents.postings.push(postings_bytes.len());
                entry.page_starts.push(page.value(0).unwrap_or("").to_owned());
                page_lens.push(pages::seal(&page.encode(), &mut sealed)?);
            }
            entry.all = self.put_name_postings(&all, contents)?;
            contents.names.push(entry);
            at += count;
        }
        contents.value_pages = PageTable::starting_at(self.offset);
        page_lens.into_iter().for_each(|len| contents.value_pages.push(len));
        self.put_raw(&sealed)?;
        Ok(final_numbers)
    }

    /// The postings of all series with a name, behind those of its values.
    fn put_name_postings(
        &mut self,
        all: &RoaringBitmap,
        contents: &mut Contents,
    ) -> Result<std::ops::Range<u64>, Error> {
        let mut bytes = Vec::new();
        postings::encode(all, &mut bytes)?;
        let start = self.offset;
        self.put_raw(&bytes)?;
        // The next page's postings begin behind it.
        if let Some(end) = contents.postings.bounds.last_mut() {
            *end = self.offset;
        }
        Ok(start..self.offset)
    }

    /// Reads the spooled series back and writes them with the final numbers of their values.
    fn put_series(&mut self, final_numbers: &[u32]) -> Result<PageTable, Error> {
        self.spool.flush()?;
        let mut spool = BufReader::with_capacity(1 << 16, File::open(&self.spool_path)?);
        let mut table = PageTable::starting_at(self.offset);
        let mut left = self.series as usize;
        while left > 0 {
            let count = left.min(SERIES_PER_PAGE);
            let series = (0..count)
                .map(|_| read_spooled(&mut spool, final_numbers))
                .collect::<Result<Vec<_>, _>>()?;
            let len = self.put_page(&pages::encode_series(&series))?;
            table.push(len);
            left -= count;
        }
        Ok(table)
    }
}

fn read_spooled(spool: &mut impl Read, final_numbers: &[u32]) -> io::Result<SeriesEntry> {
    let mut number = || -> io::Result<u64> {
        let (mut value, mut shift) = (0u64, 0u32);
        loop {
            let mut byte = [0];
            spool.read_exact(&mut byte)?;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
            shift = (shift + 7).min(63);
        }
    };
    let narrow =
        |value: u64| u32::try_from(value).map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    let mut entry = SeriesEntry::default();
    for _ in 0..number()? {
        let provisional = usize::try_from(number()?).unwrap_or(usize::MAX);
        let value = final_numbers.get(provisional).ok_or(io::ErrorKind::InvalidData)?;
        entry.values.push(*value);
    }
    for _ in 0..number()? {
        entry.chunks.push(ChunkRef {
            kind: u8::try_from(number()?).unwrap_or(u8::MAX),
            column: narrow(number()?)?,
            offset: number()?,
            length: narrow(number()?)?,
        });
    }
    Ok(entry)
}
