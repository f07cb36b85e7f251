//! How random queries are made: each test brings its leaves and its words, the rules are the same.

use proptest::prelude::*;
use proptest::sample::select;

/// Functions of ranges that every Prometheus in use has, and computes alike.
pub(crate) const RANGE_FUNCTIONS: [&str; 16] = [
    "delta",
    "irate",
    "idelta",
    "resets",
    "changes",
    "deriv",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "present_over_time",
    "absent_over_time",
];

/// Operators between vectors.
pub(crate) const OPERATORS: [&str; 22] = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    ">",
    "<",
    ">=",
    "== bool",
    "> bool",
    "and",
    "or",
    "unless",
    "+ on(i)",
    "+ ignoring(j)",
    "* on(i) group_left",
    "- ignoring(j) group_right",
    "and on(i)",
    "unless ignoring(i)",
    "or on(j)",
];

/// Aggregations without a parameter.
pub(crate) const AGGREGATIONS: [&str; 11] = [
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "group",
    "stddev",
    "stdvar",
    "sum by (i)",
    "avg without (i)",
    "count by (j)",
];

/// What a test chooses from.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    /// Scalars.
    pub(crate) scalars: &'static [&'static str],
    /// Functions of a vector.
    pub(crate) functions: &'static [&'static str],
    /// Operators beside [`OPERATORS`].
    pub(crate) operators: &'static [&'static str],
}

impl Words {
    /// A scalar.
    pub(crate) fn scalar(self) -> impl Strategy<Value = String> + Clone {
        select(self.scalars).prop_map(str::to_owned)
    }

    /// A vector that has `leaf` at its ends; `own` adds a test's own rules.
    pub(crate) fn vector(
        self,
        leaf: impl Strategy<Value = String> + 'static,
        (depth, size): (u32, u32),
        own: impl Fn(BoxedStrategy<String>) -> BoxedStrategy<String> + 'static,
    ) -> impl Strategy<Value = String> {
        leaf.prop_recursive(depth, size, 3, move |inner| {
            prop_oneof![
                8 => self.joined(inner.clone()),
                5 => wrapped(inner.clone()),
                4 => own(inner.boxed()),
            ]
        })
    }

    /// Functions, operators and aggregations.
    fn joined(
        self,
        inner: impl Strategy<Value = String> + Clone + 'static,
    ) -> impl Strategy<Value = String> {
        let operators = [&OPERATORS, self.operators].concat();
        let scalar = self.scalar();
        prop_oneof![
            (select(self.functions), inner.clone())
                .prop_map(|(function, arg)| format!("{function}({arg})")),
            (inner.clone(), select(operators), inner.clone())
                .prop_map(|(left, op, right)| format!("({left}) {op} ({right})")),
            (inner.clone(), select(vec!["+", "*", ">", "== bool"]), scalar.clone())
                .prop_map(|(left, op, right)| format!("({left}) {op} {right}")),
            (scalar, select(vec!["-", "/", "<", "> bool"]), inner.clone())
                .prop_map(|(left, op, right)| format!("{left} {op} ({right})")),
            (select(&AGGREGATIONS[..]), inner).prop_map(|(name, arg)| format!("{name} ({arg})")),
        ]
    }
}

/// Calls with fixed parameters.
fn wrapped(
    inner: impl Strategy<Value = String> + Clone + 'static,
) -> impl Strategy<Value = String> {
    let calls = select(vec![
        ("clamp(", ", 0, 10)"),
        ("label_replace(", ", \"j\", \"$1\", \"i\", \"(.*)\")"),
        ("label_join(", ", \"k\", \"-\", \"i\", \"j\")"),
        ("max_over_time((", ")[302s:1m])"),
    ]);
    (calls, inner).prop_map(|((before, after), arg)| format!("{before}{arg}{after}"))
}
