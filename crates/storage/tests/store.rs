//! The store from outside: what is acknowledged is there, exactly once, whatever happens.

#![expect(
    clippy::clone_on_ref_ptr,
    clippy::needless_pass_by_value,
    reason = "in tests, shortness reads better"
)]

mod support;

#[path = "store/append.rs"]
mod append;
#[path = "store/columns.rs"]
mod columns;
#[path = "store/crash.rs"]
mod crash;
#[path = "store/files.rs"]
mod files;
#[path = "store/log.rs"]
mod log;
#[path = "store/nodes.rs"]
mod nodes;
#[path = "store/s3.rs"]
mod s3;
