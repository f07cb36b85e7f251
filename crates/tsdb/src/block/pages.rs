//! The parts of a block's index: pages of series, of label values and of columns of timestamps, and
//! the table of contents that finds them.
//!
//! A page is compressed by zstd and ends with the checksum of its compressed bytes. All numbers are
//! varints.

use crate::chunk::bytes::{Cursor, put_bytes, put_len, put_signed, put_varint};
use crate::chunk::{Damaged, SAMPLES_MAX};

/// Series of a page.
pub(crate) const SERIES_PER_PAGE: usize = 64;

/// Label values of a page.
pub(crate) const VALUES_PER_PAGE: usize = 128;

/// Columns of timestamps of a page.
pub(crate) const COLUMNS_PER_PAGE: usize = 256;

/// No page is larger, decompressed.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// Labels of a series and label names of a block.
const LABELS_MAX: usize = 1 << 20;

const ZSTD_LEVEL: i32 = 6;

/// Appends what [`open`] reads; returns how many bytes.
pub(crate) fn seal(page: &[u8], into: &mut Vec<u8>) -> std::io::Result<usize> {
    let start = into.len();
    put_len(into, page.len());
    into.extend_from_slice(&zstd::bulk::compress(page, ZSTD_LEVEL)?);
    let checksum = crc32fast::hash(&into[start..]);
    into.extend_from_slice(&checksum.to_le_bytes());
    Ok(into.len() - start)
}

/// Takes the checksum from the end of bytes, if it is right.
pub(crate) fn checked(bytes: &[u8]) -> Result<&[u8], Damaged> {
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(Damaged("bytes end early"))?;
    if crc32fast::hash(body) == u32::from_le_bytes(*checksum) {
        Ok(body)
    } else {
        Err(Damaged("checksum is wrong"))
    }
}

pub(crate) fn open(bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
    decompress(checked(bytes)?)
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, Damaged> {
    let mut cursor = Cursor::new(body);
    let len = cursor.len(PAGE_BYTES_MAX)?;
    let page = zstd::bulk::decompress(cursor.rest(), len);
    let page = page.map_err(|_| Damaged("page cannot be decompressed"))?;
    if page.len() == len { Ok(page) } else { Err(Damaged("page is too short")) }
}

/// Where pages lie that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PageTable {
    /// The first begins at the first number, the last ends at the last.
    pub(crate) bounds: Vec<u64>,
}

impl PageTable {
    pub(crate) fn starting_at(offset: u64) -> PageTable {
        PageTable { bounds: vec![offset] }
    }

    pub(crate) fn push(&mut self, len: usize) {
        let end = self.bounds.last().copied().unwrap_or(0);
        self.bounds.push(end + len as u64);
    }

    pub(crate) fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    pub(crate) fn range(&self, page: usize) -> Option<std::ops::Range<u64>> {
        Some(*self.bounds.get(page)?..*self.bounds.get(page + 1)?)
    }

    fn put(&self, into: &mut Vec<u8>) {
        put_varint(into, self.bounds.first().copied().unwrap_or(0));
        put_len(into, self.len());
        for pair in self.bounds.windows(2) {
            put_varint(into, pair[1] - pair[0]);
        }
    }

    fn take(cursor: &mut Cursor<'_>) -> Result<PageTable, Damaged> {
        let mut end = cursor.varint()?;
        let pages = cursor.len(cursor.rest().len())?;
        let mut bounds = Vec::with_capacity(pages + 1);
        bounds.push(end);
        for _ in 0..pages {
            end = end.checked_add(cursor.varint()?).ok_or(Damaged("page is out of range"))?;
            bounds.push(end);
        }
        Ok(PageTable { bounds })
    }
}

/// A label name in the table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) name: String,
    /// The number of its first value, counted over all names.
    pub(crate) first_value: u32,
    pub(crate) values: u32,
    /// The number of its first page of values; no page has values of two names.
    pub(crate) first_page: u32,
    /// The first value of each of its pages.
    pub(crate) page_starts: Vec<String>,
    /// Bytes of the postings of all its series.
    pub(crate) all: std::ops::Range<u64>,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Contents {
    pub(crate) series: u32,
    pub(crate) columns: u32,
    pub(crate) series_pages: PageTable,
    pub(crate) column_pages: PageTable,
    pub(crate) value_pages: PageTable,
    /// Postings of the values of each page.
    pub(crate) postings: PageTable,
    pub(crate) names: Vec<Name>,
}

impl Contents {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, self.series.into());
        put_varint(&mut bytes, self.columns.into());
        for table in [&self.series_pages, &self.column_pages, &self.value_pages, &self.postings] {
            table.put(&mut bytes);
        }
        put_len(&mut bytes, self.names.len());
        for name in &self.names {
            put_bytes(&mut bytes, name.name.as_bytes());
            put_varint(&mut bytes, name.values.into());
            put_varint(&mut bytes, name.all.start);
            put_varint(&mut bytes, name.all.end - name.all.start);
            for start in &name.page_starts {
                put_bytes(&mut bytes, start.as_bytes());
            }
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Contents, Damaged> {
        let mut cursor = Cursor::new(bytes);
        let series = take_u32(&mut cursor)?;
        let columns = take_u32(&mut cursor)?;
        let mut contents = Contents {
            series,
            columns,
            series_pages: PageTable::take(&mut cursor)?,
            column_pages: PageTable::take(&mut cursor)?,
            value_pages: PageTable::take(&mut cursor)?,
            postings: PageTable::take(&mut cursor)?,
            names: Vec::new(),
        };
        let (mut first_value, mut first_page) = (0u32, 0u32);
        for _ in 0..cursor.len(LABELS_MAX)? {
            let name = take_text(&mut cursor)?;
            let values = take_u32(&mut cursor)?;
            let start = cursor.varint()?;
            let end =
                start.checked_add(cursor.varint()?).ok_or(Damaged("postings out of range"))?;
            let pages = (values as usize).div_ceil(VALUES_PER_PAGE);
            let mut page_starts = Vec::new();
            for _ in 0..pages {
                page_starts.push(take_text(&mut cursor)?);
            }
            let overflow = Damaged("too many values");
            let next_page = first_page.checked_add(to_u32(pages)?).ok_or(overflow)?;
            contents.names.push(Name {
                name,
                first_value,
                values,
                first_page,
                page_starts,
                all: start..end,
            });
            first_value = first_value.checked_add(values).ok_or(overflow)?;
            first_page = next_page;
        }
        Ok(contents)
    }

    /// The name that the value of this number belongs to.
    pub(crate) fn name_of(&self, value: u32) -> Option<&Name> {
        let after = self.names.partition_point(|name| name.first_value <= value);
        self.names[..after].last().filter(|name| value - name.first_value < name.values)
    }

    pub(crate) fn name(&self, name: &str) -> Option<&Name> {
        let at = self.names.binary_search_by(|other| other.name.as_str().cmp(name)).ok()?;
        Some(&self.names[at])
    }

    pub(crate) fn bytes(&self) -> usize {
        let tables = [&self.series_pages, &self.column_pages, &self.value_pages, &self.postings];
        let names = self
            .names
            .iter()
            .map(|name| 96 + name.page_starts.iter().map(|start| 24 + start.len()).sum::<usize>());
        256 + tables.iter().map(|table| table.bounds.len() * 8).sum::<usize>()
            + names.sum::<usize>()
    }
}

pub(crate) fn to_u32(value: usize) -> Result<u32, Damaged> {
    u32::try_from(value).map_err(|_| Damaged("number is out of range"))
}

fn take_u32(cursor: &mut Cursor<'_>) -> Result<u32, Damaged> {
    u32::try_from(cursor.varint()?).map_err(|_| Damaged("number is out of range"))
}

fn take_text(cursor: &mut Cursor<'_>) -> Result<String, Damaged> {
    let bytes = cursor.bytes()?.to_vec();
    String::from_utf8(bytes).map_err(|_| Damaged("text is not UTF-8"))
}

/// A page of label values with the lengths of their postings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ValuesPage {
    pub(crate) text: String,
    /// The end of each value in `text`.
    pub(crate) ends: Vec<usize>,
    /// The end of each value's postings, from the page's first.
    pub(crate) postings: Vec<u64>,
}

impl ValuesPage {
    pub(crate) fn push(&mut self, value: &str, postings_len: usize) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
        let before = self.postings.last().copied().unwrap_or(0);
        self.postings.push(before + postings_len as u64);
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn value(&self, at: usize) -> Option<&str> {
        let start = if at == 0 { 0 } else { *self.ends.get(at - 1)? };
        self.text.get(start..*self.ends.get(at)?)
    }

    pub(crate) fn postings_range(&self, at: usize) -> Option<std::ops::Range<u64>> {
        let start = if at == 0 { 0 } else { *self.postings.get(at - 1)? };
        Some(start..*self.postings.get(at)?)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_len(&mut bytes, self.len());
        let mut before = "";
        for at in 0..self.len() {
            let value = self.value(at).unwrap_or("");
            let pairs = before.bytes().zip(value.bytes());
            let shared = pairs.take_while(|(one, other)| one == other).count();
            put_len(&mut bytes, shared);
            put_bytes(&mut bytes, &value.as_bytes()[shared..]);
            before = value;
        }
        for at in 0..self.len() {
            put_varint(
                &mut bytes,
                self.postings_range(at).map_or(0, |range| range.end - range.start),
            );
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<ValuesPage, Damaged> {
        let mut cursor = Cursor::new(bytes);
        let len = cursor.len(VALUES_PER_PAGE)?;
        let mut page = ValuesPage::default();
        let mut value = Vec::new();
        for _ in 0..len {
            let shared = cursor.len(value.len())?;
            value.truncate(shared);
            value.extend_from_slice(cursor.bytes()?);
            let text = std::str::from_utf8(&value).map_err(|_| Damaged("text is not UTF-8"))?;
            page.text.push_str(text);
            page.ends.push(page.text.len());
            if page.text.len() > PAGE_BYTES_MAX {
                return Err(Damaged("page is too long"));
            }
        }
        let mut end = 0u64;
        for _ in 0..len {
            end = end.checked_add(cursor.varint()?).ok_or(Damaged("postings out of range"))?;
            page.postings.push(end);
        }
        Ok(page)
    }
}

/// Where a column of timestamps is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeColumn {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) count: u32,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

pub(crate) fn encode_columns(columns: &[TimeColumn]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_len(&mut bytes, columns.len());
    let (mut end, mut min, mut max) = (0u64, 0i64, 0i64);
    for column in columns {
        put_signed(&mut bytes, column.offset.wrapping_sub(end).cast_signed());
        put_varint(&mut bytes, column.length.into());
        put_varint(&mut bytes, column.count.into());
        put_signed(&mut bytes, column.min.wrapping_sub(min));
        put_signed(&mut bytes, column.max.wrapping_sub(max));
        end = column.offset + u64::from(column.length);
        (min, max) = (column.min, column.max);
    }
    bytes
}

pub(crate) fn decode_columns(bytes: &[u8]) -> Result<Vec<TimeColumn>, Damaged> {
    let mut cursor = Cursor::new(bytes);
    let mut columns = Vec::new();
    let (mut end, mut min, mut max) = (0u64, 0i64, 0i64);
    for _ in 0..cursor.len(COLUMNS_PER_PAGE)? {
        let offset = end.wrapping_add(cursor.signed()?.cast_unsigned());
        let length = take_u32(&mut cursor)?;
        let count = to_u32(cursor.len(SAMPLES_MAX)?)?;
        min = min.wrapping_add(cursor.signed()?);
        max = max.wrapping_add(cursor.signed()?);
        end = offset.wrapping_add(length.into());
        columns.push(TimeColumn { offset, length, count, min, max });
    }
    Ok(columns)
}

/// Where a chunk is and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkRef {
    /// 0 floats, 1 histograms, 2 and on: columns of downsampled points.
    pub(crate) kind: u8,
    pub(crate) column: u32,
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

/// A series in a page: the numbers of its label values, its chunks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SeriesEntry {
    pub(crate) values: Vec<u32>,
    pub(crate) chunks: Vec<ChunkRef>,
}

pub(crate) fn encode_series(series: &[SeriesEntry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_len(&mut bytes, series.len());
    // By kind of number, not by series: alike numbers side by side compress best.
    for entry in series {
        put_len(&mut bytes, entry.values.len());
    }
    let mut before: &[u32] = &[];
    for entry in series {
        for (at, &value) in entry.values.iter().enumerate() {
            let other = before.get(at).copied().unwrap_or(0);
            put_signed(&mut bytes, i64::from(value) - i64::from(other));
        }
        before = &entry.values;
    }
    for entry in series {
        put_len(&mut bytes, entry.chunks.len());
    }
    let chunks = || series.iter().flat_map(|entry| &entry.chunks);
    chunks().for_each(|chunk| bytes.push(chunk.kind));
    let mut column = 0;
    for chunk in chunks() {
        put_signed(&mut bytes, i64::from(chunk.column) - column);
        column = chunk.column.into();
    }
    let mut end = 0u64;
    for chunk in chunks() {
        put_signed(&mut bytes, chunk.offset.wrapping_sub(end).cast_signed());
        end = chunk.offset + u64::from(chunk.length);
    }
    for chunk in chunks() {
        put_varint(&mut bytes, chunk.length.into());
    }
    bytes
}

pub(crate) fn decode_series(bytes: &[u8]) -> Result<Vec<SeriesEntry>, Damaged> {
    let mut cursor = Cursor::new(bytes);
    let count = cursor.len(SERIES_PER_PAGE)?;
    let mut series = vec![SeriesEntry::default(); count];
    let out_of_range = |_| Damaged("number is out of range");
    for entry in &mut series {
        let labels = cursor.len(bytes.len())?;
        entry.values.resize(labels, 0);
    }
    for at in 0..count {
        let (before, entry) = series.split_at_mut(at);
        let before = before.last().map_or(&[][..], |entry| &entry.values);
        for (label, value) in entry[0].values.iter_mut().enumerate() {
            let other = i64::from(before.get(label).copied().unwrap_or(0));
            *value = other.wrapping_add(cursor.signed()?).try_into().map_err(out_of_range)?;
        }
    }
    for entry in &mut series {
        let chunks = cursor.len(bytes.len())?;
        entry.chunks.resize(chunks, ChunkRef { kind: 0, column: 0, offset: 0, length: 0 });
    }
    for chunk in chunks_mut(&mut series) {
        chunk.kind = cursor.byte()?;
    }
    let mut column = 0i64;
    for chunk in chunks_mut(&mut series) {
        column = column.wrapping_add(cursor.signed()?);
        chunk.column = column.try_into().map_err(out_of_range)?;
    }
    let mut offsets = Vec::new();
    for _ in chunks_mut(&mut series) {
        offsets.push(cursor.signed()?.cast_unsigned());
    }
    let mut end = 0u64;
    for (chunk, offset) in chunks_mut(&mut series).zip(offsets) {
        chunk.length = take_u32(&mut cursor)?;
        chunk.offset = end.wrapping_add(offset);
        end = chunk.offset.wrapping_add(chunk.length.into());
    }
    Ok(series)
}

fn chunks_mut(series: &mut [SeriesEntry]) -> impl Iterator<Item = &mut ChunkRef> {
    series.iter_mut().flat_map(|entry| &mut entry.chunks)
}

/// Numbers of series, ascending. Few are differences, many a roaring bitmap.
pub(crate) mod postings {
    use roaring::RoaringBitmap;

    use super::{Cursor, Damaged, put_varint};

    const LISTED_MAX: u64 = 32;

    /// They end with half of their checksum.
    pub(crate) fn encode(series: &RoaringBitmap, into: &mut Vec<u8>) -> std::io::Result<()> {
        let start = into.len();
        put_unchecked(series, into)?;
        let [low, high, ..] = crc32fast::hash(&into[start..]).to_le_bytes();
        into.extend([low, high]);
        Ok(())
    }

    fn put_unchecked(series: &RoaringBitmap, into: &mut Vec<u8>) -> std::io::Result<()> {
        if series.len() <= LISTED_MAX {
            into.push(0);
            let mut before = 0;
            for one in series {
                put_varint(into, (one - before).into());
                before = one;
            }
            return Ok(());
        }
        into.push(1);
        let mut optimized = series.clone();
        optimized.optimize();
        optimized.serialize_into(into)
    }

    /// Adds what is listed, all below `series`.
    pub(crate) fn decode(
        bytes: &[u8],
        series: u32,
        into: &mut RoaringBitmap,
    ) -> Result<(), Damaged> {
        let (bytes, checksum) = bytes.split_last_chunk::<2>().ok_or(Damaged("bytes end early"))?;
        if crc32fast::hash(bytes).to_le_bytes()[..2] != checksum[..] {
            return Err(Damaged("checksum is wrong"));
        }
        decode_unchecked(bytes, series, into)
    }

    pub(crate) fn decode_unchecked(
        bytes: &[u8],
        series: u32,
        into: &mut RoaringBitmap,
    ) -> Result<(), Damaged> {
        let out_of_range = Damaged("postings are out of range");
        let mut cursor = Cursor::new(bytes);
        if cursor.byte()? == 0 {
            let mut last = 0u32;
            while !cursor.is_empty() {
                let step = u32::try_from(cursor.varint()?).map_err(|_| out_of_range)?;
                last = last.checked_add(step).filter(|&last| last < series).ok_or(out_of_range)?;
                into.insert(last);
            }
            return Ok(());
        }
        let read = RoaringBitmap::deserialize_from(cursor.rest());
        let read = read.map_err(|_| Damaged("postings cannot be read"))?;
        if read.max().is_some_and(|max| max >= series) {
            return Err(out_of_range);
        }
        *into |= read;
        Ok(())
    }
}
