//! Immutable blocks of samples on a [`BlockStore`](crate::store::BlockStore).
//!
//! A block is the samples of one tenant over a stretch of time: chunks, an index over labels, and a
//! small description ([`Meta`]) whose presence makes the block exist. The format is in
//! `docs/formats/metrics-block.md`.
//!
//! Writing streams: what grows with the block in memory is its label values and postings, not its
//! samples. Reading takes ranges through a bounded [`Cache`]; opening a block reads its description
//! and nothing else. Damaged bytes give an error that names block and section.

mod cache;
mod downsampled;
mod meta;
mod pages;
mod plan;
mod reader;
mod select;
mod set;
mod tombstones;
mod visit;
mod writer;

pub use cache::Cache;
pub use meta::{BlockId, Meta, Section, Stats};
pub use plan::{Ask, Column, Part};
pub use reader::Reader;
pub use set::Blocks;
pub use tombstones::{Deletion, DeletionMatcher};
pub use writer::{Finished, Writer, WriterOptions};

pub(crate) use reader::ChunkKind;
pub(crate) use visit::Visit;

use std::io;

use crate::chunk::Damaged;
use crate::store::StoreError;

/// A block cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bytes are not what was written.
    #[error("block {block} is damaged in its {section}: {reason}")]
    Damaged {
        /// Which block.
        block: BlockId,
        /// Which part of it.
        section: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The block was written by a later version.
    #[error("block {block} has format version {version}, which this program does not know")]
    Version {
        /// Which block.
        block: BlockId,
        /// What it says.
        version: u32,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A local file could not be written or read.
    #[error("cannot write a block's file")]
    Io(#[from] io::Error),
    /// Series were not given in order, or samples of one series not in order of time.
    #[error("series or samples are not in order at {0}")]
    Order(String),
    /// More series than a block can number, or labels that are not well formed.
    #[error("series cannot be stored in a block: {0}")]
    Unfit(&'static str),
}

impl Error {
    pub(crate) fn damaged(block: BlockId, section: &'static str, damaged: Damaged) -> Error {
        Error::Damaged { block, section, reason: damaged.0.to_owned() }
    }
}

/// Decodes bytes as every part of an index. For fuzzing: nothing may panic.
#[doc(hidden)]
pub fn check_index(bytes: &[u8]) {
    let mut series = roaring::RoaringBitmap::new();
    let refused = [
        pages::Contents::decode(bytes).is_err(),
        pages::ValuesPage::decode(bytes).is_err(),
        pages::decode_columns(bytes).is_err(),
        pages::decode_series(bytes).is_err(),
        pages::open(bytes).is_err(),
        pages::postings::decode(bytes, 1000, &mut series).is_err(),
        pages::postings::decode_unchecked(bytes, 1000, &mut series).is_err(),
    ];
    tracing::trace!(?refused, "index bytes were decoded");
}

#[cfg(test)]
pub(crate) mod tests;
