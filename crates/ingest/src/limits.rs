//! How much of a request is taken in. Everything beyond is refused or cut off, counted and said.

/// The limits of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest body as it comes over the wire.
    pub body_bytes_max: usize,
    /// The largest body after decompression.
    pub decompressed_bytes_max: usize,
    /// Rows taken from one request; more are rejected.
    pub rows_per_batch_max: usize,
    /// Attributes of one span, log record, event, link, resource or scope; more are dropped.
    pub attributes_per_record_max: usize,
    /// The longest attribute key; attributes with longer ones are dropped.
    pub attribute_key_bytes_max: usize,
    /// The longest attribute value; longer text is cut between two characters.
    pub attribute_value_bytes_max: usize,
    /// The longest log body; longer text is cut between two characters.
    pub log_body_bytes_max: usize,
    /// Attribute columns of one batch; attributes with other keys go to the column `rest`.
    pub attribute_columns_per_batch_max: usize,
    /// How deep values may be nested in each other; deeper ones become null.
    pub nesting_depth_max: usize,
    /// Events of one span; more are dropped.
    pub events_per_span_max: usize,
    /// Links of one span; more are dropped.
    pub links_per_span_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes_max: 16 << 20,
            decompressed_bytes_max: 64 << 20,
            rows_per_batch_max: 256 << 10,
            attributes_per_record_max: 128,
            attribute_key_bytes_max: 256,
            attribute_value_bytes_max: 32 << 10,
            log_body_bytes_max: 1 << 20,
            attribute_columns_per_batch_max: 1_000,
            nesting_depth_max: 16,
            events_per_span_max: 1_024,
            links_per_span_max: 1_024,
        }
    }
}
