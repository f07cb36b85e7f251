//! What has to be switched on, by the names of Prometheus's `--enable-feature`.

use crate::engine;
use crate::parser;

/// Which experimental parts are on. Statistics of each step (`promql-per-step-stats`) always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// Of the language.
    pub language: parser::Options,
    /// Names are dropped at the end of a query.
    pub delayed_name_removal: bool,
    /// Start timestamps say where counters began.
    pub use_start_timestamps: bool,
}

impl Features {
    /// All names.
    pub const NAMES: &[&str] = &[
        "promql-experimental-functions",
        "promql-duration-expr",
        "promql-extended-range-selectors",
        "promql-binop-fill-modifiers",
        "promql-delayed-name-removal",
        "use-start-timestamps",
    ];

    /// Those of these names; the error is a name that is none of them.
    pub fn of<T: AsRef<str>>(names: &[T]) -> Result<Features, String> {
        let mut features = Features::default();
        for name in names {
            *features.of_name(name.as_ref()).ok_or_else(|| {
                let (name, known) = (name.as_ref(), Features::NAMES.join(", "));
                format!("{name:?} is no feature that can be switched on; there are {known}")
            })? = true;
        }
        Ok(features)
    }

    fn of_name(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "promql-experimental-functions" => &mut self.language.experimental_functions,
            "promql-duration-expr" => &mut self.language.duration_expressions,
            "promql-extended-range-selectors" => &mut self.language.extended_range_selectors,
            "promql-binop-fill-modifiers" => &mut self.language.binop_fill_modifiers,
            "promql-delayed-name-removal" => &mut self.delayed_name_removal,
            "use-start-timestamps" => &mut self.use_start_timestamps,
            _ => return None,
        })
    }

    /// The engine's options with what is on.
    #[must_use]
    pub fn engine(self) -> engine::Options {
        engine::Options {
            delayed_name_removal: self.delayed_name_removal,
            use_start_timestamps: self.use_start_timestamps,
            ..engine::Options::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_switches_something_on() {
        let all = Features::of(Features::NAMES).expect("known");
        assert_eq!(all.language, parser::Options::ALL);
        assert!(all.delayed_name_removal && all.use_start_timestamps);
        for name in Features::NAMES {
            assert_ne!(Features::of(&[name]).expect("known"), Features::default(), "{name}");
        }
        assert!(Features::of(&["promql-everything"]).is_err());
    }
}
