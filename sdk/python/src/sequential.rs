//! Detectors of a change in a stream, value by value.

use mlmon::column;
use mlmon::sequential::{self, Sequential, State};
use pyo3::prelude::*;

use crate::{arrays, invalid, of_mlmon};

/// A stream that is watched. Python's lock serialises its use.
#[pyclass(name = "Watch", module = "trefoil._native", unsendable)]
pub(crate) struct Watch {
    detector: Box<dyn Sequential>,
}

fn said(state: State) -> &'static str {
    match state {
        State::Stable => "stable",
        State::Warning => "warning",
        State::Drift => "drift",
    }
}

#[pymethods]
impl Watch {
    #[new]
    fn new(name: &str) -> PyResult<Watch> {
        let entry = sequential::ALL.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let names: Vec<&str> = sequential::ALL.iter().map(|entry| entry.name).collect();
            invalid(format!(
                "no sequential detector is called {name:?}; there are {}",
                names.join(", ")
            ))
        })?;
        Ok(Watch { detector: (entry.make)() })
    }

    /// The detectors with their documentation.
    #[staticmethod]
    fn all() -> Vec<(&'static str, String)> {
        sequential::ALL.iter().map(|entry| (entry.name, entry.documentation())).collect()
    }

    fn update(&mut self, value: f64) -> &'static str {
        said(self.detector.update(value))
    }

    /// The rows of a column at which it alarmed.
    fn scan(&mut self, column: &Bound<'_, PyAny>) -> PyResult<Vec<usize>> {
        let mut alarms = Vec::new();
        let mut row = 0;
        for batch in arrays::table(column)? {
            let [values] = batch.columns() else { return Err(invalid("a stream is one column")) };
            let numbers = column::dense_numbers(std::slice::from_ref(values));
            for value in numbers.map_err(|error| of_mlmon(&error))? {
                if self.detector.update(value) == State::Drift {
                    alarms.push(row);
                }
                row += 1;
            }
        }
        Ok(alarms)
    }
}
