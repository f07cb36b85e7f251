//! The token filters of a file: which columns they cover, where they stand.
//!
//! `docs/formats/token-filter.md` is the format. The footer's metadata has the positions under
//! [`KEY`]; a reader that does not know the version does without.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_schema::{DataType, Schema};
use model::{AttributeColumn, Table};
use serde::{Deserialize, Serialize};

use super::WriteOptions;
use crate::token;

/// The key in the footer's metadata.
pub(crate) const KEY: &str = "trefoil.token_filter";

const VERSION: u32 = 2;

/// Columns that share a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Set {
    /// `body` of logs; `name`, `status_message` and `events` of spans.
    Text,
    /// `request_id`, `user_id`, `rest` and every text and JSON attribute.
    Attributes,
    /// `trace_id`.
    Ids,
}

impl Set {
    const ALL: [Set; 3] = [Set::Text, Set::Attributes, Set::Ids];

    /// The set whose filters know the words of this column, if there is one.
    pub(crate) fn of_column(table: Table, name: &str, data_type: &DataType) -> Option<Set> {
        if *data_type != DataType::Utf8View {
            return None;
        }
        match (table, name) {
            (_, "trace_id") => Some(Set::Ids),
            (_, "request_id" | "user_id" | "rest")
            | (Table::Logs, "body")
            | (Table::Spans, "name" | "status_message" | "events") => {
                let text = matches!(name, "body" | "name" | "status_message" | "events");
                Some(if text { Set::Text } else { Set::Attributes })
            }
            _ => AttributeColumn::parse(name).map(|_| Set::Attributes),
        }
    }
}

/// The metadata's value.
#[derive(Debug, Serialize, Deserialize)]
struct Positions {
    version: u32,
    granule_rows: usize,
    row_groups: Vec<RowGroup>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct RowGroup {
    text: Filters,
    attributes: Filters,
    ids: Filters,
}

/// The filters of one set in one row group: one after the other, one for each granule.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Filters {
    offset: u64,
    lengths: Vec<u64>,
}

impl RowGroup {
    fn filters(&self, set: Set) -> &Filters {
        match set {
            Set::Text => &self.text,
            Set::Attributes => &self.attributes,
            Set::Ids => &self.ids,
        }
    }

    fn filters_mut(&mut self, set: Set) -> &mut Filters {
        match set {
            Set::Text => &mut self.text,
            Set::Attributes => &mut self.attributes,
            Set::Ids => &mut self.ids,
        }
    }
}

/// Builds the filters while rows are written.
#[derive(Debug)]
pub(super) struct Builder {
    granule_rows: usize,
    granules_per_group: usize,
    sets: Vec<SetBuilder>,
    /// Rows in the granule under way.
    rows: usize,
    granules: usize,
}

#[derive(Debug)]
struct SetBuilder {
    set: Set,
    columns: Vec<usize>,
    builder: token::Builder,
    finished: Vec<Vec<u8>>,
}

impl Builder {
    pub(super) fn new(table: Table, schema: &Schema, options: &WriteOptions) -> Builder {
        let of_set = |set| {
            let fields = schema.fields().iter().enumerate();
            let columns = fields
                .filter(|(_, f)| Set::of_column(table, f.name(), f.data_type()) == Some(set))
                .map(|(index, _)| index)
                .collect();
            SetBuilder { set, columns, builder: token::Builder::new(), finished: Vec::new() }
        };
        Builder {
            granule_rows: options.granule_rows,
            granules_per_group: options.row_group_rows / options.granule_rows,
            sets: Set::ALL.into_iter().map(of_set).collect(),
            rows: 0,
            granules: 0,
        }
    }

    /// How many rows [`Builder::add`] takes at most: the rest of the granule.
    pub(super) fn rows_to_boundary(&self) -> usize {
        self.granule_rows - self.rows
    }

    pub(super) fn add(&mut self, rows: &RecordBatch) {
        assert!(rows.num_rows() <= self.rows_to_boundary(), "rows of one granule only");
        for set in &mut self.sets {
            for &column in &set.columns {
                set.builder.add_column(rows.column(column).as_string_view());
            }
        }
        self.rows += rows.num_rows();
        if self.rows == self.granule_rows {
            self.end_granule();
        }
    }

    fn end_granule(&mut self) {
        for set in &mut self.sets {
            set.finished.push(set.builder.finish());
        }
        self.rows = 0;
        self.granules += 1;
    }

    /// The metadata and the filters, to be written at `offset` in this order.
    pub(super) fn finish(&mut self, mut offset: u64) -> (String, Vec<Vec<u8>>) {
        if self.rows > 0 {
            self.end_granule();
        }
        let groups = self.granules.div_ceil(self.granules_per_group);
        let mut row_groups: Vec<RowGroup> = Vec::with_capacity(groups);
        row_groups.resize_with(groups, RowGroup::default);
        let mut bytes = Vec::new();
        for set in &mut self.sets {
            for (granule, filter) in set.finished.drain(..).enumerate() {
                let filters = row_groups[granule / self.granules_per_group].filters_mut(set.set);
                if filters.lengths.is_empty() {
                    filters.offset = offset;
                }
                let length = filter.len() as u64;
                filters.lengths.push(length);
                offset += length;
                bytes.push(filter);
            }
        }
        let positions = Positions { version: VERSION, granule_rows: self.granule_rows, row_groups };
        let json = serde_json::to_string(&positions).expect("numbers and names are JSON");
        (json, bytes)
    }
}

/// Where the filters of a file are: what a reader keeps.
#[derive(Debug)]
pub(crate) struct TokenIndex {
    /// Rows that share a filter; the last granule of a row group may have fewer.
    pub(crate) granule_rows: usize,
    /// For each row group and set the place of the filter of each granule.
    row_groups: Vec<[Vec<Range<u64>>; 3]>,
}

impl TokenIndex {
    /// Reads the metadata's value. `None` when it is of another version or contradicts the file,
    /// which has row groups of `row_group_rows` rows and `size_bytes` bytes.
    pub(crate) fn parse(json: &str, row_group_rows: &[u64], size_bytes: u64) -> Option<TokenIndex> {
        let positions: Positions = serde_json::from_str(json).ok()?;
        let granule_rows = u64::try_from(positions.granule_rows).ok()?;
        if positions.version != VERSION
            || granule_rows == 0
            || positions.row_groups.len() != row_group_rows.len()
        {
            return None;
        }
        let groups = positions.row_groups.iter().zip(row_group_rows);
        let row_groups = groups
            .map(|(group, rows)| {
                let granules = usize::try_from(rows.div_ceil(granule_rows)).ok()?;
                let places = |set| places(group.filters(set), granules, size_bytes);
                Some([places(Set::Text)?, places(Set::Attributes)?, places(Set::Ids)?])
            })
            .collect::<Option<Vec<_>>>()?;
        Some(TokenIndex { granule_rows: positions.granule_rows, row_groups })
    }

    /// How many row groups there are.
    pub(crate) fn row_groups(&self) -> usize {
        self.row_groups.len()
    }

    /// The places of the filters of a row group's granules; an empty place is a filter without
    /// any token.
    pub(crate) fn filters(&self, row_group: usize, set: Set) -> &[Range<u64>] {
        let index = match set {
            Set::Text => 0,
            Set::Attributes => 1,
            Set::Ids => 2,
        };
        &self.row_groups[row_group][index]
    }

    /// How many granules the row group has.
    pub(crate) fn granules(&self, row_group: usize) -> usize {
        self.row_groups[row_group][0].len()
    }

    /// Bytes that it takes in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.row_groups.iter().flatten().map(|places| 24 + places.len() * 16).sum()
    }
}

fn places(filters: &Filters, granules: usize, size_bytes: u64) -> Option<Vec<Range<u64>>> {
    if filters.lengths.len() != granules {
        return None;
    }
    let mut start = filters.offset;
    let mut places = Vec::with_capacity(granules);
    for &length in &filters.lengths {
        let end = start.checked_add(length).filter(|&end| end <= size_bytes)?;
        if !length.is_multiple_of(token::BLOCK_BYTES as u64) {
            return None;
        }
        places.push(start..end);
        start = end;
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_contradict_the_file_are_not_used() {
        let json = |offset: u64, lengths: &str| {
            let filters = format!(r#"{{"offset":{offset},"lengths":{lengths}}}"#);
            format!(
                r#"{{"version":2,"granule_rows":10,"row_groups":[
                    {{"text":{filters},"attributes":{filters},"ids":{filters}}}]}}"#
            )
        };
        let check = |json: &str, rows: &[u64], expect: bool| {
            assert_eq!(TokenIndex::parse(json, rows, 1_000).is_some(), expect, "{json}");
        };
        check(&json(100, "[32,0]"), &[20], true);
        check(&json(100, "[32,0]"), &[15], true);
        check(&json(100, "[32,0]"), &[10], false);
        check(&json(100, "[32,0]"), &[20, 1], false);
        check(&json(990, "[32,0]"), &[20], false);
        check(&json(u64::MAX, "[32,0]"), &[20], false);
        check(&json(100, "[33,0]"), &[20], false);
        check(&json(100, "[32,0]").replace("\"version\":2", "\"version\":1"), &[20], false);
        check("{}", &[20], false);
        check("", &[20], false);
    }

    #[test]
    fn sets_cover_text_attributes_and_trace_ids() {
        let check = |table, name: &str, expect| {
            assert_eq!(Set::of_column(table, name, &DataType::Utf8View), expect, "{name}");
        };
        check(Table::Logs, "body", Some(Set::Text));
        check(Table::Spans, "body", None);
        check(Table::Spans, "name", Some(Set::Text));
        check(Table::Logs, "level", None);
        check(Table::Logs, "rest", Some(Set::Attributes));
        check(Table::Logs, "attributes.http.url", Some(Set::Attributes));
        check(Table::Logs, "resource.host.name", Some(Set::Attributes));
        check(Table::Logs, "trace_id", Some(Set::Ids));
        assert_eq!(Set::of_column(Table::Logs, "attributes.n", &DataType::Int64), None);
    }
}
