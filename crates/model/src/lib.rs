//! The vocabulary that every part of Trefoil shares: tenants, tables and their columns, attribute
//! names and types.
//!
//! It promises that a name means the same in every crate. It does no I/O, reads no clock and knows
//! no protocol.

#![warn(missing_docs)]

mod attribute;
pub mod duration;
pub mod metric;
mod schema;
mod tenant;
pub mod token;

pub use attribute::{AttributeColumn, AttributeType, Scope};
pub use schema::{Column, ColumnType, Table};
pub use tenant::{InvalidTenant, Tenant};
