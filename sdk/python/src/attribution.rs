//! What features mean to any model that Python can call.

use arrow_array::RecordBatch;
use mlmon::attribution::{importance, sampled};
use mlmon::column::dense_numbers;
use mlmon::compare::columns_of;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::{arrays, invalid, of_mlmon};

/// Some rows of the named columns, or of all; and their names.
fn rows(
    table: &[RecordBatch],
    names: &[String],
    limit: usize,
    side: &str,
) -> PyResult<(Vec<Vec<f64>>, Vec<String>)> {
    let all = columns_of(table);
    let known: Vec<String> = all.iter().map(|column| column.name.clone()).collect();
    let names = if names.is_empty() { known } else { names.to_vec() };
    let column = |name: &String| {
        let found = all.iter().find(|column| column.name == *name);
        let found = found.ok_or_else(|| invalid(format!("{side} has no column {name:?}")))?;
        dense_numbers(&found.arrays)
            .map_err(|error| invalid(format!("column {name:?} of {side}: {error}")))
    };
    let columns = names.iter().map(column).collect::<PyResult<Vec<Vec<f64>>>>()?;
    Ok((sampled(&columns, limit), names))
}

/// The columns of a table.
#[pyfunction]
pub(crate) fn column_names(table: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    Ok(columns_of(&arrays::table(table)?).into_iter().map(|column| column.name).collect())
}

/// The importance of each feature as JSON. `ask` takes rows one after the other as bytes of doubles, and
/// gives a list of answers.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "Python's arguments are handed over")]
pub(crate) fn attribution(
    python: Python<'_>,
    ask: &Bound<'_, PyAny>,
    tables: (Bound<'_, PyAny>, Bound<'_, PyAny>),
    names: Vec<String>,
    limit: usize,
    orders: usize,
) -> PyResult<String> {
    let (before, names) = rows(&arrays::table(&tables.0)?, &names, limit, "the reference")?;
    let (now, names) = rows(&arrays::table(&tables.1)?, &names, limit, "the current data")?;
    // What the model itself raises is told as it is.
    let mut raised = None;
    let model = |rows: Vec<Vec<f64>>| {
        let flat: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_ne_bytes()).collect();
        let answers = ask.call1((PyBytes::new(python, &flat),));
        answers.and_then(|answers| answers.extract::<Vec<f64>>()).map_err(|error| {
            let said = mlmon::Error::Read(error.to_string());
            raised = Some(error);
            said
        })
    };
    let found = importance(model, &names, (&before, &now), orders);
    if let Some(error) = raised {
        return Err(error);
    }
    let found = found.map_err(|error| of_mlmon(&error))?;
    serde_json::to_string(&found).map_err(invalid)
}
