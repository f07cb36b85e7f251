//! Drift of many columns together: changes that no single column shows, such as a lost correlation.
//!
//! Rows are plain vectors: numbers as they are, categories encoded by the caller
//! ([`pca::shares_of`] encodes by frequency) or as [`Codes`].

mod codes;
pub mod domain;
pub mod mmd;
pub mod pca;

pub use codes::Codes;

use crate::documentation;

/// The name of the reconstruction error.
pub const PCA: &str = "pca_reconstruction";
/// The name of the domain classifier.
pub const DOMAIN: &str = "domain_classifier";
/// The name of maximum mean discrepancy.
pub const MMD: &str = "mmd";

/// A detector's name and its documentation.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The name in configuration.
    pub name: &'static str,
    text: &'static str,
}

/// The detectors that monitors know.
pub static ALL: &[Entry] = &[
    Entry { name: PCA, text: include_str!("multivariate/pca.rs") },
    Entry { name: DOMAIN, text: include_str!("multivariate/domain.rs") },
    Entry { name: MMD, text: include_str!("multivariate/mmd.rs") },
];

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
