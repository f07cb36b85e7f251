//! What a block says about itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::chunk::TimeRange;

/// The format of blocks that this program writes, and the only one so far.
pub(crate) const VERSION: u32 = 1;

/// The number of a block: unique within a tenant, higher for later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockId(pub u64);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016}", self.0)
    }
}

impl BlockId {
    /// Reads what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<BlockId> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse().ok().map(BlockId) } else { None }
    }
}

/// A part of the data object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Section {
    /// Where it begins, bytes.
    pub offset: u64,
    /// How long it is, bytes.
    pub length: u64,
}

/// How much is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Series.
    pub series: u64,
    /// Floats; of downsampled blocks the raw ones that they stand for.
    pub floats: u64,
    /// Native histograms.
    pub histograms: u64,
    /// Chunks.
    pub chunks: u64,
    /// Distinct columns of timestamps.
    pub time_columns: u64,
    /// Bytes of the data object.
    pub bytes: u64,
    /// Of these, bytes of timestamps.
    pub time_bytes: u64,
    /// Of these, bytes of values.
    pub value_bytes: u64,
}

/// The description of a block, kept as JSON with its checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The format's version.
    pub version: u32,
    /// The block's number.
    pub id: BlockId,
    /// The first sample's time, milliseconds.
    pub min_time: i64,
    /// The last sample's time, milliseconds.
    pub max_time: i64,
    /// The distance of downsampled points, milliseconds; 0 means as they came.
    pub resolution_ms: i64,
    /// How often its samples were merged.
    pub level: u32,
    /// The blocks that this one replaces. They are not there for readers once this one is.
    pub sources: Vec<BlockId>,
    /// The blocks of fresh samples whose samples it has, in whatever resolution: of two blocks
    /// with the same origins a query reads one.
    pub origins: Vec<BlockId>,
    /// A number of the writer's, for example its place in the log.
    pub mark: u64,
    /// How much is in it.
    pub stats: Stats,
    /// The table of contents in the data object.
    pub contents: Section,
}

#[derive(Serialize)]
struct Written<'a> {
    crc32: u32,
    meta: &'a Meta,
}

#[derive(Deserialize)]
struct Read {
    crc32: u32,
    meta: Meta,
}

impl Meta {
    /// The time from its first to its last sample.
    #[must_use]
    pub fn time(&self) -> TimeRange {
        TimeRange { start: self.min_time, end: self.max_time }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let written = Written { crc32: self.checksum(), meta: self };
        // Numbers and lists of numbers cannot fail to be written.
        serde_json::to_vec_pretty(&written).unwrap_or_default()
    }

    /// Of the description without spaces.
    fn checksum(&self) -> u32 {
        crc32fast::hash(&serde_json::to_vec(self).unwrap_or_default())
    }

    pub(crate) fn from_json(block: BlockId, json: &[u8]) -> Result<Meta, Error> {
        let damaged = |reason: String| Error::Damaged { block, section: "description", reason };
        let value: serde_json::Value =
            serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
        let version = value["meta"]["version"].as_u64().and_then(|version| version.try_into().ok());
        match version {
            Some(VERSION) => {}
            Some(version) => return Err(Error::Version { block, version }),
            None => return Err(damaged("it has no version".to_owned())),
        }
        let read: Read =
            serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        if read.meta.checksum() != read.crc32 {
            return Err(damaged("checksum is wrong".to_owned()));
        }
        if read.meta.id != block || read.meta.min_time > read.meta.max_time {
            return Err(damaged("it is of another block".to_owned()));
        }
        Ok(read.meta)
    }
}
