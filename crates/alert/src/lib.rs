//! Rules: rule files as Prometheus reads them, and groups of them evaluated on time.

#![warn(missing_docs)]
