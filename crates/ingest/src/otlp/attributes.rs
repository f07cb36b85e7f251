//! The attributes of one scope, as columns.
//!
//! A record's attributes mostly come in the same order as the record's before. So each column
//! remembers which one followed it last, and that one is tried before the key is looked up.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow_array::{Array as _, ArrayRef, UInt32Array};
use arrow_schema::{ArrowError, Field};
use model::{AttributeColumn, AttributeType, Scope};

use super::column::{Buffers, Sparse, Values, spread};
use super::context::{Context, checked, path_of};
use super::text::{plain_text, push_json, push_json_text};
use super::value::{Value, read_key_value};
use crate::report::Reason;
use crate::wire::{Fault, Read};

/// A fixed column that is filled from attributes.
#[derive(Debug)]
pub(crate) struct Alias {
    /// The column's name.
    pub(crate) column: &'static str,
    /// The keys, best first.
    pub(crate) keys: &'static [&'static str],
}

/// The aliases of a scope.
#[derive(Debug)]
pub(crate) struct Aliases {
    pub(crate) aliases: &'static [Alias],
    /// Whether the attribute also has a column of its own.
    pub(crate) keeps_attribute: bool,
}

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Column<'a> {
    key: &'a [u8],
    attribute_type: AttributeType,
    key_index: u32,
    /// The column that followed this one in the record where it was last seen.
    next: u32,
    values: Values,
}

/// What is known of a key that has a column, or is an alias.
#[derive(Debug)]
struct Key<'a> {
    key: &'a [u8],
    columns: [u32; AttributeType::ALL.len()],
    /// Index of the alias and the key's rank in it.
    alias: Option<(usize, usize)>,
    /// The row, plus one, that had the key last, and the column that its value went to; [`NONE`]
    /// for the rest or an alias only.
    seen: usize,
    seen_column: u32,
}

#[derive(Debug)]
struct AliasColumn {
    values: Sparse<u128>,
    /// The row, plus one, that was set last, and the rank of the key that set it.
    seen: usize,
    rank: usize,
}

#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    scope: Scope,
    aliases: &'static Aliases,
    alias_columns: Vec<AliasColumn>,
    columns: Vec<Column<'a>>,
    keys: Vec<Key<'a>>,
    index: BTreeMap<&'a [u8], u32>,
    /// The column that a record's first attribute had last.
    first: u32,
    /// The column of the attribute before.
    last: u32,
    /// Attributes of the current row without a column.
    overflow: Vec<(&'a [u8], Value<'a>)>,
    /// The JSON members made of them, as ranges of the scratch buffer, by row.
    pub(crate) rest: BTreeMap<usize, Range<usize>>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(scope: Scope, aliases: &'static Aliases, rows_max: usize) -> Attributes<'a> {
        let alias_column = |_| AliasColumn { values: Sparse::new(rows_max), seen: 0, rank: 0 };
        Attributes {
            scope,
            aliases,
            alias_columns: aliases.aliases.iter().map(alias_column).collect(),
            columns: Vec::new(),
            keys: Vec::new(),
            index: BTreeMap::new(),
            first: NONE,
            last: NONE,
            overflow: Vec::new(),
            rest: BTreeMap::new(),
        }
    }

    /// Adds a row's attributes, given as `KeyValue` messages; returns how many were dropped. May be
    /// called again for the same row.
    pub(crate) fn push_row(
        &mut self,
        ctx: &mut Context<'a>,
        row: usize,
        messages: &[&'a [u8]],
    ) -> Read<usize> {
        let kept = messages.len().min(ctx.limits.attributes_per_record_max);
        let mut dropped = messages.len() - kept;
        ctx.add_many(Reason::Attributes, dropped);
        self.last = NONE;
        for (index, message) in messages[..kept].iter().enumerate() {
            let taken = read_key_value(message)
                .and_then(|(key, value)| self.push(ctx, row, key, value))
                .map_err(|fault| fault.in_element(path_of(self.scope), index))?;
            dropped += usize::from(!taken);
        }
        if !self.overflow.is_empty() {
            self.write_rest(ctx, row)?;
        }
        Ok(dropped)
    }

    /// Adds one attribute; `false` when it had to be dropped.
    #[inline]
    fn push(
        &mut self,
        ctx: &mut Context<'a>,
        row: usize,
        key: &'a [u8],
        value: Value<'a>,
    ) -> Read<bool> {
        let attribute_type = value.attribute_type();
        let predicted = match self.columns.get(self.last as usize) {
            Some(last) => last.next,
            None => self.first,
        };
        let column = match self.columns.get(predicted as usize) {
            Some(column) if column.attribute_type == attribute_type && column.key == key => {
                predicted
            }
            _ => match self.find(ctx, key, attribute_type)? {
                Found::Column(column) => {
                    self.expect_next_time(column);
                    column
                }
                Found::AliasOnly(key_index) => {
                    self.set_alias(ctx, row, key_index as usize, value)?;
                    return Ok(true);
                }
                Found::Rest(key_index) => {
                    self.push_rest(ctx, row, key_index, key, value)?;
                    return Ok(true);
                }
                Found::BadKey => return Ok(false),
            },
        };
        self.last = column;
        let key_index = self.columns[column as usize].key_index as usize;
        let key = &mut self.keys[key_index];
        if key.seen == row + 1 {
            self.forget(ctx, row, key_index);
        }
        let key = &mut self.keys[key_index];
        key.seen = row + 1;
        key.seen_column = column;
        let is_alias = key.alias.is_some();
        set(ctx, &mut self.columns[column as usize].values, row, value)?;
        if is_alias {
            self.set_alias(ctx, row, key_index, value)?;
        }
        Ok(true)
    }

    fn expect_next_time(&mut self, column: u32) {
        match self.columns.get_mut(self.last as usize) {
            Some(last) => last.next = column,
            None => self.first = column,
        }
    }

    /// Looks the key up, and opens a column where there is none and there may be one more.
    #[inline(never)]
    fn find(
        &mut self,
        ctx: &mut Context<'a>,
        key: &'a [u8],
        attribute_type: AttributeType,
    ) -> Read<Found> {
        if let Some(&key_index) = self.index.get(key) {
            let known = &self.keys[key_index as usize];
            if known.alias.is_some() && !self.aliases.keeps_attribute {
                return Ok(Found::AliasOnly(key_index));
            }
            return Ok(match known.columns[attribute_type as usize] {
                NONE if ctx.columns_left == 0 => Found::Rest(Some(key_index)),
                NONE => Found::Column(self.open_column(ctx, key_index, attribute_type)),
                column => Found::Column(column),
            });
        }
        if key.is_empty() {
            ctx.add(Reason::KeyEmpty);
            return Ok(Found::BadKey);
        }
        if key.len() > ctx.limits.attribute_key_bytes_max {
            ctx.add(Reason::KeyLength);
            return Ok(Found::BadKey);
        }
        checked(key).map_err(|fault| fault.in_field("key"))?;
        let alias = self.aliases.aliases.iter().enumerate().find_map(|(index, alias)| {
            let rank = alias.keys.iter().position(|k| k.as_bytes() == key)?;
            Some((index, rank))
        });
        if ctx.columns_left == 0 && alias.is_none() {
            // Not remembered: there may be millions of them.
            return Ok(Found::Rest(None));
        }
        let key_index = index_of(self.keys.len());
        let columns = [NONE; AttributeType::ALL.len()];
        self.keys.push(Key { key, columns, alias, seen: 0, seen_column: NONE });
        self.index.insert(key, key_index);
        if alias.is_some() && !self.aliases.keeps_attribute {
            return Ok(Found::AliasOnly(key_index));
        }
        if ctx.columns_left == 0 {
            return Ok(Found::Rest(Some(key_index)));
        }
        Ok(Found::Column(self.open_column(ctx, key_index, attribute_type)))
    }

    fn open_column(
        &mut self,
        ctx: &mut Context<'a>,
        key_index: u32,
        attribute_type: AttributeType,
    ) -> u32 {
        ctx.columns_left -= 1;
        let column = index_of(self.columns.len());
        let key = &mut self.keys[key_index as usize];
        key.columns[attribute_type as usize] = column;
        self.columns.push(Column {
            key: key.key,
            attribute_type,
            key_index,
            next: NONE,
            values: Values::new(attribute_type, ctx.rows_max),
        });
        column
    }

    /// Takes back what this row had under the key: the last value wins.
    #[cold]
    fn forget(&mut self, ctx: &mut Context<'a>, row: usize, key_index: usize) {
        ctx.add(Reason::KeyTwice);
        let Key { key, seen_column, .. } = self.keys[key_index];
        match self.columns.get_mut(seen_column as usize) {
            Some(column) => column.values.unset(row),
            None => self.overflow.retain(|(other, _)| *other != key),
        }
    }

    #[inline(never)]
    fn push_rest(
        &mut self,
        ctx: &mut Context<'a>,
        row: usize,
        key_index: Option<u32>,
        key: &'a [u8],
        value: Value<'a>,
    ) -> Read<()> {
        ctx.add(Reason::Rest);
        if let Some(key_index) = key_index {
            let key_index = key_index as usize;
            if self.keys[key_index].seen == row + 1 {
                self.forget(ctx, row, key_index);
            }
            self.keys[key_index].seen = row + 1;
            self.keys[key_index].seen_column = NONE;
            if self.keys[key_index].alias.is_some() {
                self.set_alias(ctx, row, key_index, value)?;
            }
        } else if let Some(before) = self.overflow.iter().position(|(other, _)| *other == key) {
            ctx.add(Reason::KeyTwice);
            self.overflow.remove(before);
        }
        self.overflow.push((key, value));
        Ok(())
    }

    fn set_alias(
        &mut self,
        ctx: &mut Context<'a>,
        row: usize,
        key_index: usize,
        value: Value<'a>,
    ) -> Read<()> {
        let Some((alias, rank)) = self.keys[key_index].alias else { return Ok(()) };
        let column = &mut self.alias_columns[alias];
        if column.seen == row + 1 && column.rank < rank {
            return Ok(());
        }
        if let Some(view) = plain_text(ctx, value, ctx.limits.attribute_value_bytes_max)? {
            column.values.set(row, view);
            column.seen = row + 1;
            column.rank = rank;
        }
        Ok(())
    }

    /// Writes the members `"attributes.key":value,…` of the row's attributes without a column.
    #[inline(never)]
    fn write_rest(&mut self, ctx: &mut Context<'a>, row: usize) -> Read<()> {
        let start = ctx.scratch.len();
        if let Some(before) = self.rest.remove(&row) {
            ctx.scratch.extend_from_within(before);
            ctx.scratch.push(b',');
        }
        for (index, (key, value)) in self.overflow.drain(..).enumerate() {
            if index > 0 {
                ctx.scratch.push(b',');
            }
            let quote = ctx.scratch.len();
            push_json_text(ctx, key).map_err(|fault: Box<Fault>| fault.in_field("key"))?;
            let scope = self.scope.as_str().bytes().chain([b'.']);
            ctx.scratch.splice(quote + 1..quote + 1, scope);
            ctx.scratch.push(b':');
            push_json(ctx, value)?;
        }
        self.rest.insert(row, start..ctx.scratch.len());
        Ok(())
    }

    /// Takes an alias's column out.
    pub(crate) fn alias_column(&mut self, name: &str) -> Option<Sparse<u128>> {
        let index = self.aliases.aliases.iter().position(|alias| alias.column == name)?;
        Some(std::mem::replace(&mut self.alias_columns[index].values, Sparse::new(0)))
    }

    /// The columns that have a value, with their names; spread over the rows where these are the
    /// attributes of what several rows come from.
    pub(crate) fn finish(
        self,
        rows: usize,
        buffers: &Buffers,
        origin_of: Option<&UInt32Array>,
        out: &mut Vec<(Field, ArrayRef)>,
    ) -> Result<(), ArrowError> {
        for column in self.columns {
            if column.values.is_empty() {
                continue;
            }
            let mut array = column.values.into_array(rows, buffers)?;
            if let Some(origin_of) = origin_of {
                array = spread(&array, origin_of)?;
                if array.null_count() == array.len() {
                    continue;
                }
            }
            let key = String::from_utf8_lossy(column.key);
            let name = AttributeColumn::typed_name(self.scope, &key, column.attribute_type);
            out.push((Field::new(name, column.attribute_type.data_type(), true), array));
        }
        Ok(())
    }
}

enum Found {
    Column(u32),
    AliasOnly(u32),
    Rest(Option<u32>),
    BadKey,
}

fn index_of(len: usize) -> u32 {
    u32::try_from(len).expect("columns are limited")
}

#[inline]
fn set<'a>(ctx: &mut Context<'a>, values: &mut Values, row: usize, value: Value<'a>) -> Read<()> {
    match (values, value) {
        (Values::Text(column), Value::Text(text)) => {
            let view = ctx
                .text(text, ctx.limits.attribute_value_bytes_max)
                .map_err(|fault| fault.in_field("value"))?;
            column.set(row, view);
        }
        (Values::Int(column), Value::Int(int)) => column.set(row, int),
        (Values::Double(column), Value::Double(double)) => column.set(row, double),
        (Values::Bool(column), Value::Bool(bool)) => column.set(row, bool),
        (Values::Bytes(column), Value::Bytes(bytes)) => {
            let kept = bytes.len().min(ctx.limits.attribute_value_bytes_max);
            if kept < bytes.len() {
                ctx.add(Reason::ValueLength);
            }
            column.set(row, ctx.view(&bytes[..kept]));
        }
        (Values::Json(column), value) => {
            let start = ctx.scratch.len();
            push_json(ctx, value).map_err(|fault| fault.in_field("value"))?;
            column.set(row, ctx.scratch_view(start));
        }
        (_, value) => unreachable!("the column was chosen by the type of {value:?}"),
    }
    Ok(())
}
