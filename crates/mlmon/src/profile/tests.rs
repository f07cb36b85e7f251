use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, StringArray};
use proptest::prelude::*;

use super::*;

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn profile(edges: &Arc<Edges>, array: &ArrayRef) -> Profile {
    let mut profile = Profile::new(Arc::clone(edges)).with_sketches();
    profile.update(array.as_ref()).unwrap();
    profile
}

#[test]
fn null_nan_and_infinity_are_told_apart() {
    let edges = Arc::new(Edges::from_cuts(vec![0.0, 1.0]));
    let array: ArrayRef = Arc::new(Float64Array::from(vec![
        Some(0.0),
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(0.5),
        Some(f64::NEG_INFINITY),
    ]));
    let profile = profile(&edges, &array);
    assert_eq!(profile.counts(), [2, 1, 1]);
    assert_eq!((profile.missing(), profile.nan(), profile.infinite()), (1, 1, [1, 1]));
    assert_eq!(profile.rows(), 6);
    assert_eq!(profile.moments().range(), Some((0.0, 0.5)));
    assert_eq!(profile.moments().mean(), Some(0.25));
}

#[test]
fn integers_booleans_and_dictionaries_are_columns_too() {
    let integers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(2), Some(2)]));
    let edges = Arc::new(Edges::fit(&[Arc::clone(&integers)], &Binning::Values).unwrap());
    assert_eq!(profile(&edges, &integers).counts(), [1, 2]);

    let booleans: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true]));
    let edges = Arc::new(Edges::fit(&[Arc::clone(&booleans)], &Binning::default()).unwrap());
    assert_eq!(profile(&edges, &booleans).counts(), [2, 1, 0]);

    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), Some("a"), None, Some("b")]));
    let dictionary = arrow_cast::cast(
        &texts,
        &arrow_schema::DataType::Dictionary(
            Box::new(arrow_schema::DataType::Int32),
            Box::new(arrow_schema::DataType::Utf8),
        ),
    )
    .unwrap();
    let edges = Arc::new(Edges::fit(&[texts], &Binning::default()).unwrap());
    assert_eq!(profile(&edges, &dictionary).counts(), [2, 1, 0]);
    assert_eq!(profile(&edges, &dictionary).missing(), 1);
}

#[test]
fn unseen_categories_are_counted_and_named() {
    let reference: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let edges = Arc::new(Edges::fit(&[reference], &Binning::default()).unwrap());
    let current: ArrayRef = Arc::new(StringArray::from(vec!["a", "c", "c"]));
    let profile = profile(&edges, &current);
    assert_eq!(profile.counts(), [1, 0, 2]);
    assert_eq!(profile.unseen().get("c"), Some(&2));
}

#[test]
fn bytes_of_version_one_stay_readable() {
    let edges = Arc::new(Edges::from_cuts(vec![0.0]));
    let mut profile = Profile::new(edges);
    profile.add_numbers(&[-1.0, 2.0, 3.0]);
    let fixture = include_bytes!("../../testdata/profile-v1.bin");
    assert_eq!(profile.encode(), fixture);
    assert_eq!(Profile::decode(fixture).unwrap().counts(), [1, 2]);
}

#[test]
fn foreign_bytes_are_refused() {
    let refused = |bytes: &[u8]| assert!(Profile::decode(bytes).is_err(), "{bytes:?}");
    refused(b"");
    refused(b"PAR1");
    refused(b"TFPR\x02");
    refused(b"TFPR\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    let good = Profile::new(Arc::new(Edges::from_cuts(vec![0.0]))).with_sketches().encode();
    for end in 0..good.len() {
        refused(&good[..end]);
    }
}

proptest! {
    #[test]
    fn merging_parts_in_any_order_equals_the_whole(
        values in prop::collection::vec(prop_oneof![
            -100.0..100.0_f64, Just(f64::NAN), Just(f64::INFINITY), Just(0.0)], 0..3000),
        cut in 0..3000_usize,
        cuts in prop::collection::vec(-100.0..100.0_f64, 0..50),
    ) {
        let edges = Arc::new(Edges::from_cuts(cuts));
        let cut = cut.min(values.len());
        let whole = profile(&edges, &floats(&values));
        let (left, right) = (floats(&values[..cut]), floats(&values[cut..]));
        for (first, second) in [(&left, &right), (&right, &left)] {
            let mut merged = profile(&edges, first);
            merged.merge(&profile(&edges, second)).unwrap();
            prop_assert_eq!(merged.counts(), whole.counts());
            prop_assert_eq!(merged.nan(), whole.nan());
            prop_assert_eq!(merged.infinite(), whole.infinite());
            prop_assert_eq!(merged.moments().count(), whole.moments().count());
            prop_assert_eq!(merged.moments().range(), whole.moments().range());
            let (mine, theirs) = (merged.moments().mean(), whole.moments().mean());
            prop_assert!((mine.unwrap_or(0.0) - theirs.unwrap_or(0.0)).abs() < 1e-9);
        }
        let decoded = Profile::decode(&whole.encode()).unwrap();
        prop_assert_eq!(decoded.counts(), whole.counts());
        prop_assert_eq!(decoded.moments(), whole.moments());
        let distinct = |profile: &Profile| profile.sketches().and_then(Sketches::distinct);
        prop_assert_eq!(distinct(&decoded), distinct(&whole));
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut framed = b"TFPR\x01".to_vec();
        framed.extend(bytes);
        if let Ok(profile) = Profile::decode(&framed) {
            prop_assert_eq!(profile.counts().len(), profile.edges().bins());
        }
    }
}
