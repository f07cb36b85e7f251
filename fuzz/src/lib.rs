//! What every target checks: a body is decoded or refused, twice the same, and takes no more memory
//! than its size justifies.

use bytes::Bytes;
use ingest::{Format, Limits, otlp};
use model::Tenant;

/// Decodes `body` and checks what must hold for every body.
pub fn check(format: Format, body: &Bytes) {
    let limits = Limits { attribute_columns_per_batch_max: 20, ..Limits::default() };
    let tenant = Tenant::default();
    let decode = || otlp::decode(format, &tenant, 1_700_000_000_000_000_000, &limits, body);
    match (decode(), decode()) {
        (Ok(one), Ok(two)) => {
            // Doubles that are not a number differ from themselves; text tells them apart.
            if one.batch != two.batch {
                assert_eq!(format!("{:?}", one.batch), format!("{:?}", two.batch));
            }
            assert_eq!(one.report, two.report);
            let bytes_max = (4 << 20) + 64 * body.len();
            assert!(one.memory_bytes <= bytes_max, "{} bytes held", one.memory_bytes);
        }
        (Err(one), Err(two)) => assert_eq!(one, two),
        (one, two) => panic!("{one:?}, then {two:?}"),
    }
}
