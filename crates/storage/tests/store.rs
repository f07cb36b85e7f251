//! The store from outside: what is acknowledged is there, exactly once, whatever happens.

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
