//! What of a tenant lies in blocks.

use std::collections::BTreeSet;

use model::metric::Matcher;

use super::{TenantStore, Tsdb};
use crate::error::Error;

#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "blocks are wired next")]
impl Tsdb {
    pub(super) fn block_label_names(
        &self,
        _store: &TenantStore,
        _matchers: &[Matcher],
        _start: i64,
        _end: i64,
        _into: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        Ok(())
    }

    pub(super) fn block_label_values(
        &self,
        _store: &TenantStore,
        _name: &str,
        _matchers: &[Matcher],
        _start: i64,
        _end: i64,
        _into: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        Ok(())
    }
}
