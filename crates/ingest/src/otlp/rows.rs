//! The rows of a batch: what spans and log records have in common.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::Buffer;
use arrow_schema::{ArrowError, Field, Schema};
use bytes::Bytes;
use model::{Scope, Tenant};

use super::attributes::{Alias, Aliases, Attributes};
use super::column::{Buffers, Sparse, choose};
use super::context::Context;
use super::origin::{OriginColumn, Origins};
use super::{Failure, check_scratch};
use crate::wire::{self, Read, Reader};

const RECORD_ALIASES: &Aliases = &Aliases {
    keeps_attribute: true,
    aliases: &[
        Alias { column: "request_id", keys: &["request.id", "request_id", "http.request.id"] },
        Alias { column: "user_id", keys: &["user.id", "enduser.id", "user_id"] },
        Alias { column: "model_version", keys: &["model.version", "model_version"] },
    ],
};

/// The columns that only one of the tables has.
pub(crate) trait Columns {
    /// Takes a column out by its name; `None` when it is not one of these.
    fn take(
        &mut self,
        name: &str,
        rows: usize,
        buffers: &Buffers,
    ) -> Option<Result<ArrayRef, ArrowError>>;
}

#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) ctx: Context<'a>,
    pub(crate) resources: Origins<'a>,
    pub(crate) scopes: Origins<'a>,
    attributes: Attributes<'a>,
    dropped_attributes: Sparse<i64>,
    len: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(ctx: Context<'a>) -> Rows<'a> {
        Rows {
            resources: Origins::resources(&ctx),
            scopes: Origins::scopes(&ctx),
            attributes: Attributes::new(Scope::Attributes, RECORD_ALIASES, ctx.rows_max),
            dropped_attributes: Sparse::new(ctx.rows_max),
            len: 0,
            ctx,
        }
    }

    /// The number of the next row.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len >= self.ctx.limits.rows_per_batch_max
    }

    /// Adds a row with its attributes, given as `KeyValue` messages.
    #[inline]
    pub(crate) fn push(&mut self, attributes: &[&'a [u8]], dropped: u32) -> Read<()> {
        let cut = self.attributes.push_row(&mut self.ctx, self.len, attributes)?;
        let dropped = i64::from(dropped) + i64::try_from(cut).unwrap_or(i64::MAX);
        if dropped > 0 {
            self.dropped_attributes.set(self.len, dropped);
        }
        self.resources.push_row();
        self.scopes.push_row();
        self.len += 1;
        Ok(())
    }

    /// Puts the columns together in the table's order.
    pub(crate) fn finish(
        mut self,
        tenant: &Tenant,
        body: &Bytes,
        columns: &mut impl Columns,
    ) -> Result<(RecordBatch, usize), Failure> {
        let rest = self.rest();
        check_scratch(&self)?;
        let Rows { ctx, resources, scopes, mut attributes, dropped_attributes, len } = self;
        let scratch_bytes = ctx.scratch.capacity();
        let scratch = Buffer::from_vec(ctx.scratch);
        let buffers: Buffers = Arc::from([Buffer::from(body.clone()), scratch]);
        let mut resources = resources.finish(&buffers);
        let mut scopes = scopes.finish(&buffers);
        let mut dropped_attributes = Some(dropped_attributes);
        let mut rest = Some(rest);

        let mut out = Vec::with_capacity(ctx.table.columns().len() + 64);
        for column in ctx.table.columns() {
            let array = match column.name {
                "tenant" => choose(&[tenant.as_str()], &UInt32Array::from(vec![0; len]))?,
                "scope_name" => scopes.column(OriginColumn::Name)?,
                "scope_version" => scopes.column(OriginColumn::Version)?,
                "scope_schema_url" => scopes.column(OriginColumn::SchemaUrl)?,
                "scope_dropped_attributes" => scopes.column(OriginColumn::Dropped)?,
                "resource_schema_url" => resources.column(OriginColumn::SchemaUrl)?,
                "resource_dropped_attributes" => resources.column(OriginColumn::Dropped)?,
                "dropped_attributes" => taken(&mut dropped_attributes).into_array(len),
                "rest" => taken(&mut rest).into_text(len, &buffers)?,
                name => {
                    if let Some(array) = resources.alias(name) {
                        array?
                    } else if let Some(texts) = attributes.alias_column(name) {
                        texts.into_text(len, &buffers)?
                    } else {
                        columns
                            .take(name, len, &buffers)
                            .expect("every column of the table is filled, a test holds it")?
                    }
                }
            };
            out.push((column.field(), array));
        }
        attributes.finish(len, &buffers, None, &mut out)?;
        resources.attributes(&mut out)?;
        scopes.attributes(&mut out)?;
        Ok((record_batch(out)?, scratch_bytes))
    }

    /// The JSON objects of attributes without a column: the row's own, its resource's, its scope's.
    fn rest(&mut self) -> Sparse<u128> {
        let mut column = Sparse::new(self.len);
        let own = std::mem::take(&mut self.attributes.rest);
        if own.is_empty() && !self.resources.has_rest() && !self.scopes.has_rest() {
            return column;
        }
        // Rows without any of their own share their origins' text.
        let mut shared: Option<([Option<Range<usize>>; 2], u128)> = None;
        for row in 0..self.len {
            if self.ctx.is_scratch_full() {
                break;
            }
            let origins = [self.resources.rest_of(row), self.scopes.rest_of(row)];
            let own = own.get(&row).cloned();
            if let (None, Some((of, view))) = (&own, &shared)
                && *of == origins
            {
                column.set(row, *view);
                continue;
            }
            let [resource, scope] = origins.clone();
            let parts: Vec<_> = [own.clone(), resource, scope].into_iter().flatten().collect();
            if parts.is_empty() {
                continue;
            }
            let view = self.object(parts);
            column.set(row, view);
            if own.is_none() {
                shared = Some((origins, view));
            }
        }
        column
    }

    fn object(&mut self, parts: Vec<Range<usize>>) -> u128 {
        let scratch = &mut self.ctx.scratch;
        let start = scratch.len();
        for (index, part) in parts.into_iter().enumerate() {
            scratch.push(if index == 0 { b'{' } else { b',' });
            scratch.extend_from_within(part);
        }
        scratch.push(b'}');
        self.ctx.scratch_view(start)
    }
}

fn taken<T>(column: &mut Option<Sparse<T>>) -> Sparse<T> {
    column.take().expect("a table has every column once")
}

fn record_batch(columns: Vec<(Field, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// A required `u64` time in nanoseconds as microseconds and the rest.
#[inline]
pub(crate) fn split_time(nanos: u64) -> (i64, i16) {
    let rest = (nanos % 1_000) as i16;
    ((nanos / 1_000).cast_signed(), rest)
}

/// The table's rows in a request, as far as it can be read.
pub(crate) fn count(body: &[u8]) -> usize {
    // In both messages resources are field 1, scopes in them field 2, records in those field 2.
    let mut rows = 0;
    for resource in fields(body, 1) {
        for scope in fields(resource, 2) {
            rows += fields(scope, 2).count();
        }
    }
    rows
}

/// Whether a message has the field, which holds a message.
pub(crate) fn has_field(message: &[u8], number: u32) -> Read<bool> {
    let mut reader = Reader::new(message);
    while let Some((found, field)) = reader.next()? {
        if found == number && matches!(field, wire::Field::Bytes(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn fields(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(message);
    std::iter::from_fn(move || {
        loop {
            match reader.next() {
                Ok(Some((found, wire::Field::Bytes(inner)))) if found == number => {
                    return Some(inner);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    })
}
