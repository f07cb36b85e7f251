//! The entropy coder of crate `pco`, in its "wrapped" form: our own bytes around its chunk metadata
//! and pages. The format's version is not stored with each column: a test holds it, and another
//! version of the format would be another codec here.

use pco::data_types::Number;
use pco::wrapped::{ChunkDecompressor, FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DecompressorScratch, DeltaSpec, FULL_BATCH_N, ModeSpec, PagingSpec};

use super::Damaged;

/// What `pco` would write at the front of a file: its format, 4.1.
const HEADER: [u8; 2] = [4, 1];

/// Higher levels take more time and were measured to save nothing on columns of this length.
const LEVEL: usize = 8;

/// Numbers after entropy coding.
pub(crate) struct Coded {
    pub(crate) head: Vec<u8>,
    pub(crate) pages: Vec<Vec<u8>>,
}

impl Coded {
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.pages.iter().map(Vec::len).sum::<usize>()
    }
}

/// Codes `values` in pages of `page_len`; `search` lets the coder look for differences and common
/// factors itself.
pub(crate) fn encode<T: Number>(values: &[T], page_len: usize, search: bool) -> Option<Coded> {
    let (mode, delta) = if search {
        (ModeSpec::Auto, DeltaSpec::Auto)
    } else {
        (ModeSpec::Classic, DeltaSpec::NoOp)
    };
    let pages = values.chunks(page_len).map(<[T]>::len).collect();
    let config = ChunkConfig::default()
        .with_compression_level(LEVEL)
        .with_mode_spec(mode)
        .with_delta_spec(delta)
        .with_paging_spec(PagingSpec::Exact(pages));
    let mut compressor = FileCompressor::default().chunk_compressor(values, &config).ok()?;
    let head = compressor.write_meta(Vec::new()).ok()?;
    let pages = compressor.n_per_page().len();
    let pages = (0..pages).map(|page| compressor.write_page(page, Vec::new()).ok());
    Some(Coded { head, pages: pages.collect::<Option<_>>()? })
}

/// Decodes the pages of one column.
pub(crate) struct Decoder<T: Number>(ChunkDecompressor<T>);

impl<T: Number + Default> Decoder<T> {
    pub(crate) fn new(head: &[u8]) -> Result<Decoder<T>, Damaged> {
        let (file, _) = FileDecompressor::new(&HEADER[..]).map_err(damaged)?;
        let (decompressor, _) = file.chunk_decompressor(head).map_err(damaged)?;
        Ok(Decoder(decompressor))
    }

    /// Appends at least the first `wanted` of a page's `len` numbers.
    pub(crate) fn page(
        &mut self,
        page: &[u8],
        len: usize,
        wanted: usize,
        scratch: &mut DecompressorScratch,
        into: &mut Vec<T>,
    ) -> Result<(), Damaged> {
        let start = into.len();
        let wanted = len.min(wanted.next_multiple_of(FULL_BATCH_N));
        into.resize(start + wanted, T::default());
        let mut page =
            self.0.page_decompressor_with_scratch(page, len, scratch).map_err(damaged)?;
        let progress = page.read(&mut into[start..]).map_err(damaged)?;
        if progress.n_processed < wanted {
            return Err(Damaged("page is too short"));
        }
        Ok(())
    }
}

fn damaged(_: pco::errors::PcoError) -> Damaged {
    Damaged("entropy-coded numbers are damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coder_still_writes_the_version_that_is_read() {
        let header = FileCompressor::default().write_header(Vec::new()).unwrap();
        assert_eq!(header, HEADER);
    }
}
