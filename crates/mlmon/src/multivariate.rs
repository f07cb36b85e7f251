//! Drift of many columns together: changes that no single column shows, such as a lost correlation.
//!
//! Rows are plain vectors: numbers as they are, categories encoded by the caller
//! ([`pca::shares_of`] encodes by frequency).

pub mod domain;
pub mod embedding;
pub mod mmd;
pub mod pca;
