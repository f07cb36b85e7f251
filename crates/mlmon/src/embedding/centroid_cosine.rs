//! Cosine distance of the centroids: by what angle the mean vector turned.
//!
//! 1 − x̄·ȳ / (|x̄| |ȳ|). Without drift |x̄ − ȳ|² − (|x̄| − |ȳ|)², which is 2 |x̄| |ȳ| times that, is
//! a sum of chi-squares weighted by the variances at right angles to the centroid; the p-value is its
//! tail. The effect is the root of the same over the typical distance of a row from its centroid.
//! Source: Evidently 0.7.23, embeddings method `distance` with `dist="cosine"` (alarm above 0.2).
//! Useful: for embeddings whose length says nothing, such as those of texts, and for those that share a
//! large common direction: what scatters along it does not hide what moves across, so it finds
//! changes that are too small for `centroid_euclidean`.
//! Not useful: for centred embeddings, whose centroid lies near nought and points anywhere; for what
//! `centroid_euclidean` does not see either.

use super::centroid_euclidean::{NEGLIGIBLE, effect};
use super::{Detector, Pair, above};
use crate::Error;
use crate::detector::{Measure, Needs};
use crate::stat::quadratic::{dot, square_distance};
use crate::threshold::Custom;

pub(super) const DETECTOR: Detector = Detector {
    name: "centroid_cosine",
    title: "Cosine distance of centroids",
    needs: Needs::Profile,
    custom: Custom { customary: above(0.2), negligible: NEGLIGIBLE },
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (n, m) = pair.rows()?;
    let (x, y) = (pair.reference.summary().centroid(), pair.current.centroid());
    let lengths = (dot(x, x).sqrt(), dot(y, y).sqrt());
    if !(lengths.0 > 0.0 && lengths.1 > 0.0) {
        return Err(Error::Empty("the direction of a centroid at nought"));
    }
    let value = (1.0 - dot(x, y) / (lengths.0 * lengths.1)).max(0.0);
    let square = (square_distance(x, y) - (lengths.0 - lengths.1).powi(2)).max(0.0);
    let (weights, share) = pair.reference.weights_across();
    let variance = pair.variance()? * share;
    let scale = 1.0 / n + 1.0 / m;
    let probability =
        weights.tail_estimated(square / scale - variance, variance, n + m - 2.0);
    Ok(Measure::of_test(value, probability, effect(square, variance, scale)))
}
