//! The functions of the language and their types.

use std::fmt;

/// The types of expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// A number at each step.
    Scalar,
    /// Series with one sample at each step.
    Vector,
    /// Series with a range of samples.
    Matrix,
    /// A text.
    String,
}

impl ValueType {
    /// As the API says it: `scalar`, `vector`, `matrix`, `string`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ValueType::Scalar => "scalar",
            ValueType::Vector => "vector",
            ValueType::Matrix => "matrix",
            ValueType::String => "string",
        }
    }

    /// As the documentation and error texts say it: `instant vector`, `range vector`.
    #[must_use]
    pub fn documented(self) -> &'static str {
        match self {
            ValueType::Vector => "instant vector",
            ValueType::Matrix => "range vector",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A function of the language.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments.
    pub args: &'static [ValueType],
    /// 0: all arguments are required. N: the last may be left out and may occur up to N times.
    /// -1: the last may be left out and may occur any number of times.
    pub variadic: i8,
    /// What it returns.
    pub returns: ValueType,
    /// Whether it has to be switched on.
    pub experimental: bool,
}

/// The function of this name.
#[must_use]
pub fn function(name: &str) -> Option<&'static Function> {
    let at = FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok()?;
    Some(&FUNCTIONS[at])
}

const fn stable(
    name: &'static str,
    args: &'static [ValueType],
    variadic: i8,
    returns: ValueType,
) -> Function {
    Function { name, args, variadic, returns, experimental: false }
}

const fn experimental(
    name: &'static str,
    args: &'static [ValueType],
    variadic: i8,
    returns: ValueType,
) -> Function {
    Function { name, args, variadic, returns, experimental: true }
}

/// All functions, sorted by name.
pub static FUNCTIONS: &[Function] = {
    use ValueType::{Matrix, Scalar, String, Vector};
    &[
        stable("abs", &[Vector], 0, Vector),
        stable("absent", &[Vector], 0, Vector),
        stable("absent_over_time", &[Matrix], 0, Vector),
        stable("acos", &[Vector], 0, Vector),
        stable("acosh", &[Vector], 0, Vector),
        stable("asin", &[Vector], 0, Vector),
        stable("asinh", &[Vector], 0, Vector),
        stable("atan", &[Vector], 0, Vector),
        stable("atanh", &[Vector], 0, Vector),
        stable("avg_over_time", &[Matrix], 0, Vector),
        stable("ceil", &[Vector], 0, Vector),
        stable("changes", &[Matrix], 0, Vector),
        stable("clamp", &[Vector, Scalar, Scalar], 0, Vector),
        stable("clamp_max", &[Vector, Scalar], 0, Vector),
        stable("clamp_min", &[Vector, Scalar], 0, Vector),
        stable("cos", &[Vector], 0, Vector),
        stable("cosh", &[Vector], 0, Vector),
        stable("count_over_time", &[Matrix], 0, Vector),
        stable("day_of_month", &[Vector], 1, Vector),
        stable("day_of_week", &[Vector], 1, Vector),
        stable("day_of_year", &[Vector], 1, Vector),
        stable("days_in_month", &[Vector], 1, Vector),
        stable("deg", &[Vector], 0, Vector),
        stable("delta", &[Matrix], 0, Vector),
        stable("deriv", &[Matrix], 0, Vector),
        experimental("double_exponential_smoothing", &[Matrix, Scalar, Scalar], 0, Vector),
        experimental("end", &[], 0, Scalar),
        stable("exp", &[Vector], 0, Vector),
        experimental("first_over_time", &[Matrix], 0, Vector),
        stable("floor", &[Vector], 0, Vector),
        stable("histogram_avg", &[Vector], 0, Vector),
        stable("histogram_count", &[Vector], 0, Vector),
        stable("histogram_fraction", &[Scalar, Scalar, Vector], 0, Vector),
        stable("histogram_quantile", &[Scalar, Vector], 0, Vector),
        experimental("histogram_quantiles", &[Vector, String, Scalar, Scalar], 9, Vector),
        stable("histogram_stddev", &[Vector], 0, Vector),
        stable("histogram_stdvar", &[Vector], 0, Vector),
        stable("histogram_sum", &[Vector], 0, Vector),
        stable("hour", &[Vector], 1, Vector),
        stable("idelta", &[Matrix], 0, Vector),
        stable("increase", &[Matrix], 0, Vector),
        experimental("info", &[Vector, Vector], 1, Vector),
        stable("irate", &[Matrix], 0, Vector),
        stable("label_join", &[Vector, String, String, String], -1, Vector),
        stable("label_replace", &[Vector, String, String, String, String], 0, Vector),
        stable("last_over_time", &[Matrix], 0, Vector),
        stable("ln", &[Vector], 0, Vector),
        stable("log10", &[Vector], 0, Vector),
        stable("log2", &[Vector], 0, Vector),
        experimental("mad_over_time", &[Matrix], 0, Vector),
        experimental("max_of", &[Scalar, Scalar], 0, Scalar),
        stable("max_over_time", &[Matrix], 0, Vector),
        experimental("min_of", &[Scalar, Scalar], 0, Scalar),
        stable("min_over_time", &[Matrix], 0, Vector),
        stable("minute", &[Vector], 1, Vector),
        stable("month", &[Vector], 1, Vector),
        stable("pi", &[], 0, Scalar),
        stable("predict_linear", &[Matrix, Scalar], 0, Vector),
        stable("present_over_time", &[Matrix], 0, Vector),
        stable("quantile_over_time", &[Scalar, Matrix], 0, Vector),
        stable("rad", &[Vector], 0, Vector),
        experimental("range", &[], 0, Scalar),
        stable("rate", &[Matrix], 0, Vector),
        stable("resets", &[Matrix], 0, Vector),
        stable("round", &[Vector, Scalar], 1, Vector),
        stable("scalar", &[Vector], 0, Scalar),
        stable("sgn", &[Vector], 0, Vector),
        stable("sin", &[Vector], 0, Vector),
        stable("sinh", &[Vector], 0, Vector),
        stable("sort", &[Vector], 0, Vector),
        experimental("sort_by_label", &[Vector, String], -1, Vector),
        experimental("sort_by_label_desc", &[Vector, String], -1, Vector),
        stable("sort_desc", &[Vector], 0, Vector),
        stable("sqrt", &[Vector], 0, Vector),
        experimental("start", &[], 0, Scalar),
        experimental("start_timestamp", &[Vector], 0, Vector),
        stable("stddev_over_time", &[Matrix], 0, Vector),
        stable("stdvar_over_time", &[Matrix], 0, Vector),
        experimental("step", &[], 0, Scalar),
        stable("sum_over_time", &[Matrix], 0, Vector),
        stable("tan", &[Vector], 0, Vector),
        stable("tanh", &[Vector], 0, Vector),
        stable("time", &[], 0, Scalar),
        stable("timestamp", &[Vector], 0, Vector),
        experimental("ts_of_first_over_time", &[Matrix], 0, Vector),
        experimental("ts_of_last_over_time", &[Matrix], 0, Vector),
        experimental("ts_of_max_over_time", &[Matrix], 0, Vector),
        experimental("ts_of_min_over_time", &[Matrix], 0, Vector),
        stable("vector", &[Scalar], 0, Vector),
        stable("year", &[Vector], 1, Vector),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_sorted_and_found() {
        assert!(FUNCTIONS.is_sorted_by_key(|function| function.name));
        assert_eq!(function("rate").expect("known").args, &[ValueType::Matrix]);
        assert!(function("Rate").is_none());
    }
}
