//! Sizes as Prometheus writes them: `10MB`, `512KiB`; every prefix is a power of 1024.

use stdx::yaml::{Fields, Problem};

/// Reads one, bytes.
pub(super) fn read(fields: &mut Fields<'_>, key: &str) -> Result<Option<u64>, Problem> {
    let Some(node) = fields.node(key) else { return Ok(None) };
    let text = node.text()?;
    match parse(&text) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(node.problem(&format!("units: invalid {text}"))),
    }
}

fn parse(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let letters = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(letters);
    let power = match unit {
        "B" => 0,
        "KB" | "KiB" => 1,
        "MB" | "MiB" => 2,
        "GB" | "GiB" => 3,
        "TB" | "TiB" => 4,
        "PB" | "PiB" => 5,
        "EB" | "EiB" => 6,
        _ => return None,
    };
    let number: f64 = number.parse().ok().filter(|number: &f64| *number >= 0.0)?;
    let bytes = number * 1024_f64.powi(power);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked range")]
    (bytes < 9.2e18).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes() {
        for (text, expect) in [
            ("0", Some(0)),
            ("10MB", Some(10 << 20)),
            ("1.5KiB", Some(1536)),
            ("7", None),
            ("1XB", None),
        ] {
            assert_eq!(super::parse(text), expect, "{text}");
        }
    }
}
