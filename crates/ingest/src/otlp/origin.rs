//! What many rows have in common: their resource and their instrumentation scope. Read once each,
//! and spread over the rows when the batch is complete.

use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::ArrowError;
use model::Scope;

use super::attributes::{Alias, Aliases, Attributes};
use super::column::{Buffers, Sparse, spread};
use super::context::Context;
use super::text::low_32;
use crate::wire::{Field, Read, Reader};

const RESOURCE_ALIASES: &Aliases = &Aliases {
    keeps_attribute: false,
    aliases: &[
        Alias { column: "service", keys: &["service.name"] },
        Alias {
            column: "environment",
            keys: &["deployment.environment.name", "deployment.environment"],
        },
        Alias { column: "release", keys: &["service.version"] },
    ],
};

const SCOPE_ALIASES: &Aliases = &Aliases { keeps_attribute: true, aliases: &[] };

/// The resources, or the scopes, of a batch.
#[derive(Debug)]
pub(crate) struct Origins<'a> {
    pub(crate) attributes: Attributes<'a>,
    name: Sparse<u128>,
    version: Sparse<u128>,
    schema_url: Sparse<u128>,
    dropped: Sparse<i64>,
    len: usize,
    /// For each row, which one it comes from.
    of_row: Vec<u32>,
    messages: Vec<&'a [u8]>,
}

impl<'a> Origins<'a> {
    pub(crate) fn resources(ctx: &Context<'a>) -> Origins<'a> {
        Origins::new(Scope::Resource, RESOURCE_ALIASES, ctx)
    }

    pub(crate) fn scopes(ctx: &Context<'a>) -> Origins<'a> {
        Origins::new(Scope::Scope, SCOPE_ALIASES, ctx)
    }

    fn new(scope: Scope, aliases: &'static Aliases, ctx: &Context<'a>) -> Origins<'a> {
        // How many there are is not known; most batches have one.
        const ROWS: usize = 4;
        Origins {
            attributes: Attributes::new(scope, aliases, ROWS),
            name: Sparse::new(ROWS),
            version: Sparse::new(ROWS),
            schema_url: Sparse::new(ROWS),
            dropped: Sparse::new(ROWS),
            len: 0,
            of_row: Vec::with_capacity(ctx.rows_max),
            messages: Vec::new(),
        }
    }

    /// Starts the next one, which the rows that are pushed from now on come from.
    pub(crate) fn start(&mut self) {
        self.len += 1;
    }

    fn current(&self) -> usize {
        self.len.saturating_sub(1)
    }

    #[inline]
    pub(crate) fn push_row(&mut self) {
        self.of_row.push(u32::try_from(self.current()).expect("bodies are under 2 GiB"));
    }

    pub(crate) fn set_schema_url(&mut self, ctx: &mut Context<'a>, url: &'a [u8]) -> Read<()> {
        set_text(ctx, &mut self.schema_url, self.len.saturating_sub(1), url)
    }

    /// Reads a `Resource`.
    pub(crate) fn read_resource(&mut self, ctx: &mut Context<'a>, message: &'a [u8]) -> Read<()> {
        let mut reader = Reader::new(message);
        let mut dropped = 0;
        self.messages.clear();
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(attribute)) => self.messages.push(attribute),
                (2, Field::Varint(count)) => dropped = i64::from(low_32(count)),
                (1 | 2, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        self.push_attributes(ctx, dropped)
    }

    /// Reads an `InstrumentationScope`.
    pub(crate) fn read_scope(&mut self, ctx: &mut Context<'a>, message: &'a [u8]) -> Read<()> {
        let mut reader = Reader::new(message);
        let mut dropped = 0;
        let current = self.current();
        self.messages.clear();
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(name)) => {
                    set_text(ctx, &mut self.name, current, name)
                        .map_err(|fault| fault.in_field("scope.name"))?;
                }
                (2, Field::Bytes(version)) => {
                    set_text(ctx, &mut self.version, current, version)
                        .map_err(|fault| fault.in_field("scope.version"))?;
                }
                (3, Field::Bytes(attribute)) => self.messages.push(attribute),
                (4, Field::Varint(count)) => dropped = i64::from(low_32(count)),
                (1..=4, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        self.push_attributes(ctx, dropped)
    }

    fn push_attributes(&mut self, ctx: &mut Context<'a>, dropped: i64) -> Read<()> {
        let current = self.current();
        let messages = std::mem::take(&mut self.messages);
        let cut = self.attributes.push_row(ctx, current, &messages)?;
        self.messages = messages;
        let dropped = dropped + i64::try_from(cut).unwrap_or(i64::MAX);
        if dropped > 0 {
            self.dropped.set(current, dropped);
        }
        Ok(())
    }

    /// The range of the JSON members of the row's origin that have no column.
    pub(crate) fn rest_of(&self, row: usize) -> Option<std::ops::Range<usize>> {
        self.attributes.rest.get(&(self.of_row[row] as usize)).cloned()
    }

    pub(crate) fn has_rest(&self) -> bool {
        !self.attributes.rest.is_empty()
    }

    pub(crate) fn finish(mut self, buffers: &Buffers) -> FinishedOrigins<'a> {
        let of_row = UInt32Array::from(std::mem::take(&mut self.of_row));
        FinishedOrigins { origins: self, of_row, buffers: Buffers::clone(buffers) }
    }
}

/// Columns of origins, to be taken out one by one.
#[derive(Debug)]
pub(crate) struct FinishedOrigins<'a> {
    origins: Origins<'a>,
    of_row: UInt32Array,
    buffers: Buffers,
}

/// The columns that every origin has, beside its aliases.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OriginColumn {
    Name,
    Version,
    SchemaUrl,
    Dropped,
}

impl<'a> FinishedOrigins<'a> {
    pub(crate) fn column(&mut self, column: OriginColumn) -> Result<ArrayRef, ArrowError> {
        let empty = || Sparse::new(0);
        let origins = &mut self.origins;
        let texts = match column {
            OriginColumn::Name => std::mem::replace(&mut origins.name, empty()),
            OriginColumn::Version => std::mem::replace(&mut origins.version, empty()),
            OriginColumn::SchemaUrl => std::mem::replace(&mut origins.schema_url, empty()),
            OriginColumn::Dropped => {
                let dropped = std::mem::replace(&mut origins.dropped, Sparse::new(0));
                return spread(&dropped.into_array(origins.len), &self.of_row);
            }
        };
        spread(&texts.into_text(origins.len, &self.buffers)?, &self.of_row)
    }

    pub(crate) fn alias(&mut self, name: &str) -> Option<Result<ArrayRef, ArrowError>> {
        let texts = self.origins.attributes.alias_column(name)?;
        let array = texts.into_text(self.origins.len, &self.buffers);
        Some(array.and_then(|array| spread(&array, &self.of_row)))
    }

    pub(crate) fn attributes(
        self,
        out: &mut Vec<(arrow_schema::Field, ArrayRef)>,
    ) -> Result<(), ArrowError> {
        let Origins { attributes, len, .. } = self.origins;
        attributes.finish(len, &self.buffers, Some(&self.of_row), out)
    }
}

fn set_text<'a>(
    ctx: &mut Context<'a>,
    column: &mut Sparse<u128>,
    row: usize,
    text: &'a [u8],
) -> Read<()> {
    if text.is_empty() {
        column.unset(row);
    } else {
        let view = ctx.text(text, ctx.limits.attribute_value_bytes_max)?;
        column.set(row, view);
    }
    Ok(())
}
