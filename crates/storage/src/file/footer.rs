//! The footer, in which two columns may point to the same values.
//!
//! A column chunk is a name in the footer and a place in the file; nothing in it says which column
//! it is of. So a chunk that two columns of one type share is a file that every reader can read:
//! DuckDB, Polars, pyarrow and the crate `parquet` were tried.

use std::io::{self, Write};

use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter,
};
use parquet::file::writer::TrackedWrite;

use super::row_group::Shared;

/// Lets each copy point to its source's values.
pub(super) fn share(metadata: ParquetMetaData, shared: &[Shared]) -> Result<ParquetMetaData> {
    let mut builder = ParquetMetaDataBuilder::new_from_metadata(metadata);
    let mut column_index = builder.take_column_index();
    let mut offset_index = builder.take_offset_index();
    let mut groups = builder.take_row_groups();
    for &Shared { row_group, source, copy } in shared {
        let mut group = groups[row_group].clone().into_builder();
        let mut columns = group.take_columns();
        columns[copy] = renamed(&columns[source], &columns[copy])?;
        groups[row_group] = group.set_column_metadata(columns).build()?;
        if let Some(index) = &mut column_index {
            index[row_group][copy] = index[row_group][source].clone();
        }
        if let Some(index) = &mut offset_index {
            index[row_group][copy] = index[row_group][source].clone();
        }
    }
    let builder = builder.set_row_groups(groups).set_column_index(column_index);
    Ok(builder.set_offset_index(offset_index).build())
}

/// The chunk `source` under the name of `copy`.
fn renamed(
    source: &ColumnChunkMetaData,
    copy: &ColumnChunkMetaData,
) -> Result<ColumnChunkMetaData> {
    let mut builder = ColumnChunkMetaData::builder(copy.column_descr_ptr())
        .set_compression_codec(source.compression_codec())
        .set_encodings_mask(*source.encodings_mask())
        .set_num_values(source.num_values())
        .set_total_compressed_size(source.compressed_size())
        .set_total_uncompressed_size(source.uncompressed_size())
        .set_data_page_offset(source.data_page_offset())
        .set_dictionary_page_offset(source.dictionary_page_offset())
        .set_unencoded_byte_array_data_bytes(source.unencoded_byte_array_data_bytes())
        .set_definition_level_histogram(source.definition_level_histogram().cloned());
    if let Some(mask) = source.page_encoding_stats_mask() {
        builder = builder.set_page_encoding_stats_mask(*mask);
    }
    if let Some(statistics) = source.statistics() {
        builder = builder.set_statistics(statistics.clone());
    }
    builder.build()
}

/// Page index and footer as they stand in a file from `offset` on.
pub(super) fn encode(metadata: &ParquetMetaData, offset: usize) -> Result<Vec<u8>> {
    let mut tail = Tail { skip: offset, bytes: Vec::new() };
    let mut file = TrackedWrite::new(&mut tail);
    // The writer knows where in the file it is by counting what went through it.
    io::copy(&mut io::Read::take(io::repeat(0), offset as u64), &mut file)?;
    ParquetMetaDataWriter::new_with_tracked(file, metadata).finish()?;
    Ok(tail.bytes)
}

/// Keeps what is written behind the first `skip` bytes.
struct Tail {
    skip: usize,
    bytes: Vec<u8>,
}

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.bytes.extend_from_slice(&bytes[skipped..]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
