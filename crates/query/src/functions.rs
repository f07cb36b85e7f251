//! Functions of our own.

mod match_text;
mod rest_value;

use datafusion::logical_expr::ScalarUDF;

/// Every function that a statement can use beside DataFusion's.
pub(crate) fn all() -> Vec<ScalarUDF> {
    vec![
        ScalarUDF::from(match_text::MatchText::new()),
        ScalarUDF::from(rest_value::RestValue::new()),
    ]
}
