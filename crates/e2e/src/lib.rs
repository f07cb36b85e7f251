//! What the end-to-end tests are made with: the built `trefoil`, started as a user starts it, and
//! clients that talk to it over its ports.
//!
//! It promises that a test's server listens on free ports only, keeps its data in a directory that
//! goes away, ends with the test, and shows its log when the test fails. It knows nothing of the
//! server's inside: it depends on none of its crates, so that a test cannot cheat.

pub mod otlp;
pub mod program;
pub mod prometheus;
pub mod random;
pub mod remote_write;
pub mod sent;
pub mod server;
pub mod sql;
#[cfg(test)]
mod tidy;
pub mod wait;

pub use server::{Server, Setup};
pub use sql::Rows;
pub use wait::until;
