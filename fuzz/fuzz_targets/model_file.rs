//! Any bytes as a model's file: an error, or a model that explains a row or says why not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlmon::attribution::Model;

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = Model::read(bytes) else { return };
    let features = model.features().len();
    drop(model.mean_sizes(&[vec![0.5; features], vec![f64::NAN; features]], &vec![0.0; features]));
});
