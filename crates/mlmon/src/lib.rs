//! Model health: drift, data quality and performance statistics over Arrow arrays.

#![warn(missing_docs)]
