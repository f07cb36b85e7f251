//! Chance that can be repeated.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// A generator from `TREFOIL_SEED`, or from a seed of its own; either is printed, and the test
/// runner shows it when the test fails.
#[must_use]
pub fn seeded() -> (u64, StdRng) {
    let seed = variable("TREFOIL_SEED")
        .map_or_else(rand::random, |seed| seed.parse().expect("TREFOIL_SEED is a number"));
    show(&format!("TREFOIL_SEED={seed} repeats this run's choices"));
    (seed, StdRng::seed_from_u64(seed))
}

/// A variable of the tests' own environment.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are steered by their environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Prints a line for whoever reads a test's output.
pub fn show(line: &str) {
    #[expect(clippy::print_stderr, reason = "this is the tests' output")]
    {
        eprintln!("{line}");
    }
}
