//! Detectors of a change in a stream, value by value, in constant memory: each a file that opens with
//! its rule, its source, when it is useful and when not.
//!
//! After an alarm a detector forgets and starts anew with the next value.

use crate::documentation;

/// What a detector says after a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum State {
    /// Nothing.
    Stable,
    /// It may become a drift.
    Warning,
    /// The stream has changed.
    Drift,
}

/// A detector of change in a stream of numbers or of errors (1 wrong, 0 right).
pub trait Sequential: Send {
    /// Takes the next value. NaN is left out and changes nothing.
    fn update(&mut self, value: f64) -> State;
}

/// A detector with its default options, by name, and its documentation.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The name in configuration.
    pub name: &'static str,
    /// Makes one.
    pub make: fn() -> Box<dyn Sequential>,
    text: &'static str,
}

impl Entry {
    /// What people call it: the beginning of its documentation.
    pub fn title(&self) -> &'static str {
        documentation::title(self.text)
    }

    /// The comment its file opens with.
    pub fn documentation(&self) -> String {
        documentation::text(self.text)
    }
}

macro_rules! detectors {
    ($($module:ident: $type:ident),* $(,)?) => {
        $(mod $module; pub use $module::$type;)*

        /// All sequential detectors.
        pub static ALL: &[Entry] = &[$(Entry {
            name: stringify!($module),
            make: || Box::new($type::default()),
            text: include_str!(concat!("sequential/", stringify!($module), ".rs")),
        }),*];
    };
}

detectors! {
    page_hinkley: PageHinkley,
    cusum: Cusum,
    adwin: Adwin,
    kswin: Kswin,
    ddm: Ddm,
    eddm: Eddm,
    hddm: Hddm,
}

/// A mean that is updated value by value.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    n: f64,
    mean: f64,
}

impl Mean {
    fn update(&mut self, value: f64) {
        self.n += 1.0;
        self.mean += (value - self.mean) / self.n;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small numbers")]

    use super::*;
    use serde_json::Value;

    fn drifts(mut detector: impl Sequential, stream: &Value) -> Vec<usize> {
        let stream = stream.as_array().unwrap().iter().map(|v| v.as_f64().unwrap());
        let states = stream.enumerate().map(|(place, v)| (place, detector.update(v)));
        states.filter(|(_, state)| *state == State::Drift).map(|(place, _)| place).collect()
    }

    #[test]
    fn drifts_are_found_where_river_and_frouros_find_them() {
        let golden: Value =
            serde_json::from_str(include_str!("../testdata/sequential.json")).unwrap();
        let (stream, errors) = (&golden["stream"], &golden["errors"]);
        let check = |name: &str, ours: Vec<usize>| {
            let theirs = golden["drifts"][name].as_array().unwrap().iter();
            let theirs: Vec<usize> = theirs.map(|v| v.as_u64().unwrap() as usize).collect();
            assert_eq!(ours, theirs, "{name}");
        };
        let mut page_hinkley = PageHinkley::default();
        page_hinkley.threshold = 5.0;
        let mut cusum = Cusum::default();
        cusum.threshold = 5.0;
        check("page_hinkley", drifts(page_hinkley, stream));
        check("cusum", drifts(cusum, stream));
        check("adwin", drifts(Adwin::default(), stream));
        check("ddm", drifts(Ddm::default(), errors));
        check("eddm", drifts(Eddm::default(), errors));
        check("hddm_a", drifts(Hddm::default(), errors));
    }

    #[test]
    fn a_window_that_moved_is_found_and_noise_is_not() {
        let mut random = crate::stat::random::Random::new(1);
        let mut detector = Kswin::default();
        let quiet = (0..1000).filter(|_| detector.update(random.normal()) == State::Drift).count();
        let moved =
            (0..100).filter(|_| detector.update(random.normal() + 3.0) == State::Drift).count();
        assert!(quiet <= 8 && moved >= 1, "{quiet} {moved}");
    }

    #[test]
    fn any_value_is_taken() {
        for entry in ALL {
            let mut detector = (entry.make)();
            for value in [0.0, f64::NAN, f64::INFINITY, -1e308, 1e308, 1.0] {
                for _ in 0..100 {
                    detector.update(value);
                }
            }
            assert!(entry.documentation().contains("Not useful:"), "{}", entry.name);
        }
    }
}
