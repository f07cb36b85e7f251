//! The Rust half of the Python package `trefoil`: tables in without copies, outcomes out.
//!
//! What Python sees as classes and functions is in `python/trefoil`; this module is private to it.
//! While it computes, other Python threads run; arrays must not be written to meanwhile.

mod arrays;
mod attribution;
mod sequential;

use arrow_array::RecordBatch;
use mlmon::compare::{Column, columns_of};
use mlmon::monitor::{Every, Experiment, ModelFile, Monitor, Outcome};
use mlmon::performance::binary::Worth;
use mlmon::profile::{Binning, Edges, Profile};
use mlmon::threshold::{Correction, Threshold};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn invalid(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn of_mlmon(error: &mlmon::Error) -> PyErr {
    match error {
        mlmon::Error::Type(_) => PyTypeError::new_err(error.to_string()),
        _ => invalid(error),
    }
}

/// What `trefoil.drift` was asked for.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Options {
    name: String,
    columns: Vec<String>,
    detectors: Vec<String>,
    bins: Bins,
    alpha: f64,
    correction: String,
    customary: bool,
    deviations: Option<f64>,
    by: Option<String>,
    time: Option<String>,
    every: Option<String>,
    target: Option<String>,
    prediction: Option<String>,
    score: Option<String>,
    scores: Vec<(String, String)>,
    value: Option<Value>,
    protected: Option<String>,
    query: Option<String>,
    top: usize,
    quantile: Option<f64>,
    experiment: Option<Plan>,
    model: Option<Vec<u8>>,
}

/// What an experiment compares.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Plan {
    metrics: Vec<String>,
    shares: [f64; 2],
    level: f64,
    scale: Option<f64>,
}

/// What decisions are worth.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Value {
    true_positive: f64,
    false_positive: f64,
    false_negative: f64,
    true_negative: f64,
}

#[derive(FromPyObject)]
enum Bins {
    Number(usize),
    Name(String),
    Cuts(Vec<f64>),
}

impl Bins {
    fn binning(self) -> PyResult<Binning> {
        match self {
            Bins::Number(bins) if bins >= 2 => Ok(Binning::Quantiles(bins)),
            Bins::Cuts(cuts) => Ok(Binning::Cuts(cuts)),
            Bins::Name(name) if name == "doane" => Ok(Binning::Doane),
            Bins::Name(name) if name == "values" => Ok(Binning::Values),
            Bins::Number(_) | Bins::Name(_) => {
                Err(invalid("bins is a number from 2 on, \"doane\", \"values\" or a list of cuts"))
            }
        }
    }
}

impl Options {
    fn monitor(self) -> PyResult<Monitor> {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(invalid("alpha lies between 0 and 1"));
        }
        let correction = match self.correction.as_str() {
            "holm" => Correction::Holm,
            "bonferroni" => Correction::Bonferroni,
            "false_discovery" => Correction::FalseDiscovery,
            "none" => Correction::None,
            other => {
                return Err(invalid(format!(
                    "no correction is called {other:?}; there are holm, bonferroni, false_discovery \
                     and none"
                )));
            }
        };
        let every = match &self.every {
            Some(every) => Some(Every::parse(every).map_err(|error| of_mlmon(&error))?),
            None => None,
        };
        let experiment = self.experiment.map(|plan| Experiment {
            metrics: plan.metrics,
            shares: plan.shares,
            level: plan.level,
            scale: plan.scale,
        });
        if let Some(plan) = &experiment {
            plan.check().map_err(|error| of_mlmon(&error))?;
        }
        if self.top == 0 {
            return Err(invalid("top is a number of places from 1 on"));
        }
        let model = self.model.map(|bytes| ModelFile::of(&bytes)).transpose();
        Ok(Monitor {
            name: self.name,
            columns: self.columns,
            detectors: self.detectors,
            binning: self.bins.binning()?,
            threshold: match self.deviations {
                Some(deviations) => Threshold::Chunks { deviations },
                None if self.customary => Threshold::Customary,
                None => Threshold::Sampled { alpha: self.alpha, correction },
            },
            by: self.by,
            time: self.time,
            every,
            target: self.target,
            prediction: self.prediction,
            score: self.score,
            scores: self.scores,
            worth: self.value.map(|value| Worth {
                true_positive: value.true_positive,
                false_positive: value.false_positive,
                false_negative: value.false_negative,
                true_negative: value.true_negative,
            }),
            protected: self.protected,
            query: self.query,
            top: self.top,
            quantile: self.quantile,
            experiment,
            model: model.map_err(|error| of_mlmon(&error))?,
        })
    }
}

/// What a monitor found.
#[pyclass(frozen, name = "Outcome", module = "trefoil._native")]
struct Found(Outcome);

#[pymethods]
impl Found {
    fn json(&self) -> PyResult<String> {
        serde_json::to_string(&self.0).map_err(invalid)
    }

    fn html(&self) -> String {
        mlmon::report::page(&self.0)
    }

    fn text(&self, colour: bool) -> String {
        mlmon::report::table(&self.0, colour)
    }

    fn drifted(&self) -> bool {
        self.0.drifted()
    }

    fn degraded(&self) -> bool {
        self.0.degraded()
    }

    fn decided(&self) -> bool {
        self.0.decided()
    }

    /// The data-quality findings of each column in words.
    fn findings(&self) -> Vec<(String, Vec<String>)> {
        let columns = self.0.overall.columns.iter();
        let said = columns.map(|column| {
            let sentences = column.findings.iter().map(mlmon::quality::Finding::sentence);
            (column.name.clone(), sentences.collect())
        });
        said.collect()
    }
}

fn outcome(
    python: Python<'_>,
    monitor: &Monitor,
    reference: &[RecordBatch],
    current: &[RecordBatch],
) -> PyResult<Found> {
    let found = python.detach(|| monitor.run(reference, current));
    found.map(Found).map_err(|error| of_mlmon(&error))
}

/// Compares two tables.
#[pyfunction]
fn drift(
    python: Python<'_>,
    reference: &Bound<'_, PyAny>,
    current: &Bound<'_, PyAny>,
    options: Options,
) -> PyResult<Found> {
    let monitor = options.monitor()?;
    let (reference, current) = (arrays::table(reference)?, arrays::table(current)?);
    outcome(python, &monitor, &reference, &current)
}

/// Runs the monitors of a YAML document.
#[pyfunction]
fn monitors(
    python: Python<'_>,
    reference: &Bound<'_, PyAny>,
    current: &Bound<'_, PyAny>,
    yaml: &str,
) -> PyResult<Vec<Found>> {
    let mut monitors = Monitor::read(yaml).map_err(invalid)?;
    for monitor in &mut monitors {
        if let Some(ModelFile::Named(file)) = &monitor.model {
            let bytes = std::fs::read(file)
                .map_err(|error| invalid(format!("cannot read the model {file:?}: {error}")))?;
            monitor.model = Some(ModelFile::of(&bytes).map_err(|error| of_mlmon(&error))?);
        }
    }
    let (reference, current) = (arrays::table(reference)?, arrays::table(current)?);
    monitors.iter().map(|monitor| outcome(python, monitor, &reference, &current)).collect()
}

/// Name, title, heading and documentation of everything that is computed; the last says whether it is
/// a detector that `drift` takes by name.
#[pyfunction]
fn catalogue() -> Vec<(&'static str, &'static str, &'static str, String, bool)> {
    let families = mlmon::catalogue::families().into_iter();
    let entries = families.flat_map(|family| {
        family.entries.into_iter().map(move |entry| {
            let kind = match family.title {
                "column by column" => "column",
                "embeddings" => "embedding",
                other => other,
            };
            (entry.name, entry.title, kind, entry.documentation, family.detectors)
        })
    });
    entries.collect()
}

/// A column's counters under edges that a reference froze.
#[pyclass(name = "Profile", module = "trefoil._native")]
struct Counted(Profile);

fn only(table: &[RecordBatch]) -> PyResult<Column> {
    let mut columns = columns_of(table);
    match (columns.pop(), columns.is_empty()) {
        (Some(column), true) => Ok(column),
        _ => Err(invalid("a profile is of one column")),
    }
}

#[pymethods]
impl Counted {
    #[staticmethod]
    fn fit(column: &Bound<'_, PyAny>, bins: Bins) -> PyResult<Counted> {
        let column = only(&arrays::table(column)?)?;
        let edges = Edges::fit(&column.arrays, &bins.binning()?).map_err(|e| of_mlmon(&e))?;
        let mut profile = Profile::new(edges.into()).with_sketches();
        for array in &column.arrays {
            profile.update(array.as_ref()).map_err(|error| of_mlmon(&error))?;
        }
        Ok(Counted(profile))
    }

    #[staticmethod]
    fn decode(bytes: &[u8]) -> PyResult<Counted> {
        Profile::decode(bytes).map(Counted).map_err(|error| of_mlmon(&error))
    }

    fn encode<'py>(&self, python: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(python, &self.0.encode())
    }

    /// An empty profile with the same edges.
    fn empty(&self) -> Counted {
        Counted(Profile::new(self.0.edges().clone()).with_sketches())
    }

    fn update(&mut self, column: &Bound<'_, PyAny>) -> PyResult<()> {
        for array in &only(&arrays::table(column)?)?.arrays {
            self.0.update(array.as_ref()).map_err(|error| of_mlmon(&error))?;
        }
        Ok(())
    }

    fn merge(&mut self, other: &Counted) -> PyResult<()> {
        self.0.merge(&other.0).map_err(|error| of_mlmon(&error))
    }

    /// Value, probability and effect of a detector that needs profiles alone.
    fn measure(&self, reference: &Counted, detector: &str) -> PyResult<(f64, f64, f64)> {
        let known = mlmon::detector::find(detector)
            .ok_or_else(|| invalid(format!("no detector is called {detector:?}")))?;
        let pair = mlmon::pair::Pair::of(&reference.0, &self.0).map_err(|e| of_mlmon(&e))?;
        let measure = (known.measure)(&pair).map_err(|error| of_mlmon(&error))?;
        Ok((measure.value, measure.probability, measure.effect))
    }

    #[getter]
    fn counts(&self) -> Vec<u64> {
        self.0.counts().to_vec()
    }

    #[getter]
    fn cuts(&self) -> Option<Vec<f64>> {
        self.0.edges().cuts().map(<[f64]>::to_vec)
    }

    #[getter]
    fn categories(&self) -> Option<Vec<String>> {
        let categories = self.0.edges().categories()?;
        Some(categories.iter().map(|name| name.to_string()).collect())
    }

    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows()
    }

    #[getter]
    fn missing(&self) -> u64 {
        self.0.missing()
    }

    #[getter]
    fn nan(&self) -> u64 {
        self.0.nan()
    }

    #[getter]
    fn mean(&self) -> Option<f64> {
        self.0.moments().mean()
    }

    #[getter]
    fn deviation(&self) -> Option<f64> {
        self.0.moments().variance(0).map(f64::sqrt)
    }
}

/// The module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Found>()?;
    module.add_class::<Counted>()?;
    module.add_class::<sequential::Watch>()?;
    module.add_function(wrap_pyfunction!(drift, module)?)?;
    module.add_function(wrap_pyfunction!(monitors, module)?)?;
    module.add_function(wrap_pyfunction!(catalogue, module)?)?;
    module.add_function(wrap_pyfunction!(attribution::attribution, module)?)?;
    module.add_function(wrap_pyfunction!(attribution::column_names, module)?)?;
    Ok(())
}
