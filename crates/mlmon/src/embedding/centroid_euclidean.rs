//! Distance of the centroids: how far the mean vector moved.
//!
//! |x̄ − ȳ|. Without drift its square is a sum of chi-squares weighted by the variances of the rows
//! along their main directions, times 1/n + 1/m; the p-value is that sum's tail, from the variance of
//! all rows and the weights' squares and cubes in 400 rows of the reference. The effect is the distance,
//! less what chance gives, over the typical distance of a row from its centroid.
//! Source: Evidently 0.7.23, embeddings method `distance` (alarm above 0.2); the test is Bai and
//! Saranadasa's (1996) with the tail of Hall, Buckley and Eagleson.
//! Useful: the default. A proper test at any window and length of vectors, of every row and not a
//! sample; one pass, 0.2 s of processor time for 100,000 vectors of 384 numbers, nothing kept of
//! windows but means. New topics, another model or language of the texts move the centroid at once.
//! Not useful: for a cloud that grows or splits around the same centre (`mmd` sees it).

use super::{Detector, Pair, above};
use crate::Error;
use crate::detector::{Measure, Needs};
use crate::stat::quadratic::square_distance;
use crate::threshold::Custom;

pub(super) const DETECTOR: Detector = Detector {
    name: "centroid_euclidean",
    title: "Distance of centroids",
    needs: Needs::Profile,
    custom: Custom { customary: above(0.2), negligible: NEGLIGIBLE },
    measure,
    text: Detector::BLANK,
};

/// Of the typical distance of a row from its centroid.
pub(super) const NEGLIGIBLE: f64 = 0.02;

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (n, m) = pair.rows()?;
    let square = square_distance(pair.reference.summary().centroid(), pair.current.centroid());
    let variance = pair.variance()?;
    let scale = 1.0 / n + 1.0 / m;
    let weights = pair.reference.weights();
    let probability =
        weights.tail_estimated(square / scale - variance, variance, n + m - 2.0);
    Ok(Measure::of_test(square.sqrt(), probability, effect(square, variance, scale)))
}

/// A squared way of the centroid, less what chance gives, in typical distances of rows from it.
pub(super) fn effect(square: f64, variance: f64, scale: f64) -> f64 {
    let sure = (square - variance * scale).max(0.0);
    match variance > 0.0 {
        true => (sure / variance).sqrt(),
        false => sure.sqrt(),
    }
}
