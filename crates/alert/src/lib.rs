//! Rules: rule files as Prometheus reads them, and groups of them evaluated on time.
//!
//! A [`Manager`] evaluates groups: recording rules write series, alerting rules hold alerts and
//! write `ALERTS` and `ALERTS_FOR_STATE`, from which waiting times are restored after a restart.
//! What expressions mean and where samples go it knows only through [`Query`] and [`Append`].
//! [`unit_test`] runs promtool's unit tests.

#![warn(missing_docs)]

mod group;
mod manager;
mod query;
mod rule;
pub mod rule_file;
mod state;
pub mod template;
pub mod unit_test;

#[cfg(test)]
mod tests;

pub use manager::{Manager, Options, Prepared, Rules};
pub use query::{Append, Query, QueryError, Rejected, Sample, SampleValue};
pub use rule::Surroundings;
pub use state::{AlertState, GroupState, Health, RuleState, State};
