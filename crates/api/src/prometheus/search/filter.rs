//! Which names fit what somebody types, and how well: from 0 to 1.

/// How names are compared that do not begin with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// All characters of the text occur in order; runs of them count more, gaps less.
    Subsequence,
    /// The text is part of the name, or similar to it.
    JaroWinkler,
}

/// Accepts what fits one of some texts; everything when there is none.
#[derive(Debug)]
pub(super) struct Filter {
    terms: Vec<Vec<char>>,
    algorithm: Algorithm,
    threshold: f64,
    case_sensitive: bool,
}

impl Filter {
    pub(super) fn new(
        terms: &[&str],
        algorithm: Algorithm,
        threshold: f64,
        case_sensitive: bool,
    ) -> Filter {
        let terms = terms.iter().map(|term| folded(term, case_sensitive)).collect();
        Filter { terms, algorithm, threshold, case_sensitive }
    }

    /// How well a name fits; `None` when it does not.
    pub(super) fn score(&self, name: &str) -> Option<f64> {
        if self.terms.is_empty() {
            return Some(1.0);
        }
        let name = folded(name, self.case_sensitive);
        self.terms.iter().filter_map(|term| self.term_score(term, &name)).reduce(f64::max)
    }

    fn term_score(&self, term: &[char], name: &[char]) -> Option<f64> {
        if name.starts_with(term) {
            return Some(1.0);
        }
        match self.algorithm {
            Algorithm::Subsequence => Some(subsequence(term, name))
                .filter(|&score| score > 0.0 && score >= self.threshold),
            Algorithm::JaroWinkler => {
                if name.windows(term.len()).any(|window| window == term) {
                    return Some(0.9);
                }
                Some(jaro_winkler(term, name))
                    .filter(|&score| self.threshold > 0.0 && score >= self.threshold)
            }
        }
    }
}

fn folded(text: &str, case_sensitive: bool) -> Vec<char> {
    if case_sensitive { text.chars().collect() } else { text.to_lowercase().chars().collect() }
}

#[expect(clippy::cast_precision_loss, reason = "lengths of names")]
fn real(number: usize) -> f64 {
    number as f64
}

/// The squares of the runs, less the gaps as shares of the name, of the most that is possible; 0
/// when a character is missing. Every place where the first character stands is tried.
fn subsequence(term: &[char], name: &[char]) -> f64 {
    let Some(first) = term.first() else { return 1.0 };
    let starts = name.iter().enumerate().filter(|(_, character)| *character == first);
    starts.filter_map(|(start, _)| runs_score(term, name, start)).fold(0.0, f64::max)
}

fn runs_score(term: &[char], name: &[char], start: usize) -> Option<f64> {
    let length = real(name.len());
    let (mut score, mut run, mut at) = (-real(start) / length, 0usize, start);
    for wanted in term {
        let gap = name.get(at..)?.iter().position(|character| character == wanted)?;
        if gap > 0 {
            score += real(run * run) - real(gap) / length;
            run = 0;
        }
        run += 1;
        at += gap + 1;
    }
    score += real(run * run) - real(name.len() - at) / (2.0 * length);
    Some((score / real(term.len() * term.len())).clamp(0.0, 1.0))
}

/// The similarity of Jaro and Winkler: shared characters near each other, a shared beginning more.
fn jaro_winkler(one: &[char], other: &[char]) -> f64 {
    if one.is_empty() || other.is_empty() {
        return 0.0;
    }
    let reach = (one.len().max(other.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; other.len()];
    let mut shared = Vec::new();
    for (at, character) in one.iter().enumerate() {
        let from = at.saturating_sub(reach);
        let to = (at + reach + 1).min(other.len());
        if let Some(found) = (from..to).find(|&at| !taken[at] && other[at] == *character) {
            taken[found] = true;
            shared.push(*character);
        }
    }
    if shared.is_empty() {
        return 0.0;
    }
    let in_other = other.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(c, _)| c);
    let moved = shared.iter().zip(in_other).filter(|(a, b)| a != b).count() / 2;
    let count = real(shared.len());
    let jaro =
        (count / real(one.len()) + count / real(other.len()) + (count - real(moved)) / count) / 3.0;
    let beginning = one.iter().zip(other).take(4).take_while(|(a, b)| a == b).count();
    jaro + real(beginning) * 0.1 * (1.0 - jaro)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores() {
        let score = |terms: &[&str], algorithm, threshold, case_sensitive, name: &str| {
            Filter::new(terms, algorithm, threshold, case_sensitive).score(name)
        };
        use Algorithm::{JaroWinkler, Subsequence};
        assert_eq!(score(&[], Subsequence, 0.0, true, "x"), Some(1.0));
        assert_eq!(score(&["http"], Subsequence, 0.0, true, "http_requests"), Some(1.0));
        assert_eq!(score(&["HTTP"], Subsequence, 0.0, true, "http_requests"), None);
        assert_eq!(score(&["HTTP"], Subsequence, 0.0, false, "http_requests"), Some(1.0));
        assert_eq!(score(&["xyz"], Subsequence, 0.0, true, "http_requests"), None);
        let run = score(&["req"], Subsequence, 0.0, true, "http_requests").expect("fits");
        let gaps = score(&["hrq"], Subsequence, 0.0, true, "http_requests").expect("fits");
        assert!(run > gaps && run < 1.0, "{run} {gaps}");
        assert_eq!(score(&["hrq"], Subsequence, 0.9, true, "http_requests"), None);
        assert_eq!(score(&["requ"], JaroWinkler, 0.0, true, "http_requests"), Some(0.9));
        assert_eq!(score(&["zzz", "requ"], JaroWinkler, 0.0, true, "http_requests"), Some(0.9));
        let close = score(&["martha"], JaroWinkler, 0.9, true, "marhta").expect("similar");
        assert!((close - 0.961_111).abs() < 1e-5, "{close}");
        assert_eq!(score(&["martha"], JaroWinkler, 0.0, true, "marhta"), None);
        assert_eq!(score(&["longer than that"], JaroWinkler, 0.0, true, "short"), None);
    }
}
