//! Tells cargo to look again when the UI was built, and the reader when it was not.

use std::{env, path::Path};

#[expect(clippy::disallowed_methods, reason = "a build script gets everything by environment")]
fn main() {
    let manifest_dir = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let index = Path::new(&manifest_dir).join("../../web/dist/index.html");
    println!("cargo:rerun-if-changed={}", index.display());
    let wanted = env::var_os("CARGO_FEATURE_UI").is_some();
    if wanted && !index.try_exists().unwrap_or(false) {
        println!("cargo:warning=web/dist is not built, the page will say so: run `make ui`");
    }
}
