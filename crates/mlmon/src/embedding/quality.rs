//! What is wrong with a column of vectors itself.

use super::Summary;
use crate::quality::{Finding, changed};

/// Compares the counters of a column.
pub fn check(reference: &Summary, current: &Summary) -> Vec<Finding> {
    let (past, now) = (reference.counters(), current.counters());
    let mut findings = Vec::new();
    if now.misfits > 0 && now.misfits == now.rows - now.missing {
        let found = now.misfit_width.unwrap_or(0);
        findings.push(Finding::Type {
            reference: format!("vectors of {}", reference.width()),
            current: format!("vectors of {found}"),
        });
        return findings;
    }
    if current.vectors() == 0 && reference.vectors() > 0 {
        findings.push(Finding::Empty);
        return findings;
    }
    if let Some((reference, current)) = changed((past.missing, past.rows), (now.missing, now.rows))
    {
        findings.push(Finding::Missing { reference, current });
    }
    // A reference without any says that there should be none.
    if now.misfits > 0
        && (past.misfits == 0
            || changed((past.misfits, past.rows), (now.misfits, now.rows)).is_some())
    {
        findings.push(Finding::Length {
            rows: now.misfits,
            share: now.misfits as f64 / now.rows as f64,
            expected: reference.width(),
            found: now.misfit_width.unwrap_or(0),
        });
    }
    let (before, after) = ((past.not_a_number, past.rows), (now.not_a_number, now.rows));
    if after.0 > 0 && (before.0 == 0 || changed(before, after).is_some()) {
        let share = |(count, rows): (u64, u64)| count as f64 / rows.max(1) as f64;
        findings.push(Finding::NotANumber { reference: share(before), current: share(after) });
    }
    if past.infinite == 0 && now.infinite > 0 {
        findings.push(Finding::Infinite { rows: now.infinite });
    }
    let still = |summary: &Summary| summary.squares().iter().all(|square| *square <= 0.0);
    if current.vectors() > 1 && still(current) && !still(reference) {
        findings.push(Finding::Constant);
    }
    findings
}
