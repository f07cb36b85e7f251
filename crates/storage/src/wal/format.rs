//! Bytes of the log; see `docs/formats/wal.md`.

use bytes::Bytes;
use model::{Table, Tenant};
use stdx::clock::UnixNanos;

/// The first bytes of a segment.
pub(super) const MAGIC: [u8; 8] = *b"TREFWAL\n";
/// The version that is written and read.
pub(super) const VERSION: u32 = 1;
/// Magic, version, segment number, first sequence, checksum.
pub(super) const HEADER_BYTES: usize = 8 + 4 + 8 + 8 + 4;
/// Length and checksum.
pub(super) const PREFIX_BYTES: usize = 4 + 4;
/// What stands in a record before tenant and body.
pub(super) const FIXED_BYTES: usize = 8 + 8 + 1 + 1 + 2 + 8;

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) segment: u64,
    pub(super) first_sequence: u64,
}

/// Why bytes are no header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    Damaged,
    Version(u32),
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.segment.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.first_sequence.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Header, BadHeader> {
        let mut fields = Fields(bytes);
        let magic: [u8; 8] = fields.array().ok_or(BadHeader::Damaged)?;
        let version = fields.array().map(u32::from_le_bytes).ok_or(BadHeader::Damaged)?;
        let segment = fields.array().map(u64::from_le_bytes).ok_or(BadHeader::Damaged)?;
        let first_sequence = fields.array().map(u64::from_le_bytes).ok_or(BadHeader::Damaged)?;
        let checksum = fields.array().map(u32::from_le_bytes).ok_or(BadHeader::Damaged)?;
        if magic != MAGIC || crc32fast::hash(&bytes[..28]) != checksum {
            return Err(BadHeader::Damaged);
        }
        if version != VERSION {
            return Err(BadHeader::Version(version));
        }
        Ok(Header { segment, first_sequence })
    }
}

/// A record without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) sequence: u64,
    /// Where the record's group begins in the segment: all before it was durable when it was
    /// written.
    pub(super) group_offset: u64,
    pub(super) table: Table,
    pub(super) format: u8,
    pub(super) tenant: Tenant,
    pub(super) received_at: UnixNanos,
}

impl Meta {
    /// The bytes before the body: prefix, fields and tenant.
    pub(super) fn encode(&self, body: &[u8]) -> Vec<u8> {
        let tenant = self.tenant.as_str().as_bytes();
        let content = FIXED_BYTES + tenant.len() + body.len();
        let mut bytes = Vec::with_capacity(PREFIX_BYTES + FIXED_BYTES + tenant.len());
        bytes.extend_from_slice(&u32::try_from(content).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.group_offset.to_le_bytes());
        bytes.push(table_code(self.table));
        bytes.push(self.format);
        bytes.extend_from_slice(&u16::try_from(tenant.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(&self.received_at.to_le_bytes());
        bytes.extend_from_slice(tenant);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&bytes[PREFIX_BYTES..]);
        checksum.update(body);
        bytes[4..8].copy_from_slice(&checksum.finalize().to_le_bytes());
        bytes
    }

    /// Reads a record's content, whose checksum was right.
    pub(super) fn decode(content: &Bytes) -> Option<(Meta, Bytes)> {
        let mut fields = Fields(content);
        let sequence = fields.array().map(u64::from_le_bytes)?;
        let group_offset = fields.array().map(u64::from_le_bytes)?;
        let [table, format] = fields.array()?;
        let tenant_len = usize::from(fields.array().map(u16::from_le_bytes)?);
        let received_at = fields.array().map(i64::from_le_bytes)?;
        let tenant = fields.0.get(..tenant_len)?;
        let tenant = Tenant::parse(std::str::from_utf8(tenant).ok()?).ok()?;
        let table = table_of(table)?;
        let meta = Meta { sequence, group_offset, table, format, tenant, received_at };
        Some((meta, content.slice(FIXED_BYTES + tenant_len..)))
    }
}

fn table_code(table: Table) -> u8 {
    match table {
        Table::Spans => 1,
        Table::Logs => 2,
    }
}

fn table_of(code: u8) -> Option<Table> {
    Table::ALL.into_iter().find(|&table| table_code(table) == code)
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1 as released. These bytes must be readable for ever.
    const FIXTURE: &[u8] = include_bytes!("../../testdata/wal-v1.wal");

    fn fixture() -> (Header, Meta, Bytes) {
        let header = Header { segment: 7, first_sequence: 41 };
        let meta = Meta {
            sequence: 41,
            group_offset: 32,
            table: Table::Logs,
            format: 2,
            tenant: Tenant::parse("team-a").expect("valid"),
            received_at: 1_763_700_000_000_000_001,
        };
        (header, meta, Bytes::from_static(b"body"))
    }

    #[test]
    fn version_1_is_read_as_it_was_written() {
        let (header, meta, body) = fixture();
        let mut bytes = header.encode().to_vec();
        bytes.extend(meta.encode(&body));
        bytes.extend_from_slice(&body);
        assert_eq!(bytes, FIXTURE);
        assert_eq!(Header::decode(&FIXTURE[..HEADER_BYTES]), Ok(header));
        let content = Bytes::from_static(&FIXTURE[HEADER_BYTES + PREFIX_BYTES..]);
        assert_eq!(Meta::decode(&content), Some((meta, body)));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = fixture().0.encode();
        bytes[8] = 9;
        assert_eq!(Header::decode(&bytes), Err(BadHeader::Damaged));
        let checksum = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(BadHeader::Version(9)));
        assert_eq!(Header::decode(&bytes[..9]), Err(BadHeader::Damaged));
    }
}
