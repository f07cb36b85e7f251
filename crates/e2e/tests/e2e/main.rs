//! Tests of the built binary from outside, one module for each promise.

mod agree;
mod browser;
mod crash;
mod demo;
mod disk;
mod drift;
mod drift_model;
mod hostile;
mod lifecycle;
mod memory;
mod metrics;
mod metrics_on_s3;
mod open_store;
mod prometheus_api;
mod queries;
mod sdk;
mod seeds;
