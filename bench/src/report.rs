//! The table of figures with their targets, on the screen and in `bench/RESULTS.md`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    None,
    AtLeast(f64),
    AtMost(f64),
}

/// Figures in the order they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    aim: Aim,
}

impl Table {
    pub(crate) fn new() -> Table {
        Table::default()
    }

    pub(crate) fn row(&mut self, name: &str, value: f64, unit: &'static str, aim: Aim) {
        self.0.push(Row { name: name.to_owned(), value, unit, aim });
    }

    /// A figure measured before.
    pub(crate) fn find(&self, name: &str, unit: &str) -> Option<f64> {
        self.0.iter().find(|row| row.name == name && row.unit == unit).map(|row| row.value)
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = "| figure | measured | target | |\n|---|---:|---:|---|\n".to_owned();
        for Row { name, value, unit, aim } in &self.0 {
            let (target, verdict) = match aim {
                Aim::None => (String::new(), ""),
                Aim::AtLeast(least) => {
                    (format!("≥ {}", number(*least)), if value >= least { "met" } else { "missed" })
                }
                Aim::AtMost(most) => {
                    (format!("≤ {}", number(*most)), if value <= most { "met" } else { "missed" })
                }
            };
            let value = number(*value);
            writeln!(text, "| {name} | {value} {unit} | {target} | {verdict} |")
                .expect("a string takes it");
        }
        text
    }
}

/// Thousands apart, and as many decimals as mean something.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.find('.').map_or((text.as_str(), ""), |dot| text.split_at(dot));
    let mut apart = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0
            && digit.is_ascii_digit()
            && (whole.len() - index).is_multiple_of(3)
            && apart != "-"
        {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart + rest
}

/// Puts the table between the marks of its size, and leaves all else as it is.
pub(crate) fn write(path: &Path, size: &str, table: &Table, machine: &str) -> anyhow::Result<()> {
    let (begin, end) = (format!("<!-- begin: {size} -->\n"), format!("<!-- end: {size} -->"));
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let (before, rest) = text.split_once(&begin).with_context(|| format!("no mark {begin}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no mark {end}"))?;
    let table = table.markdown();
    std::fs::write(path, format!("{before}{begin}{machine}\n\n{table}{end}{after}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_easily() {
        let check = |value, text| assert_eq!(number(value), text);
        check(1_234_567.8, "1,234,568");
        check(123.4, "123");
        check(12.34, "12.3");
        check(1.234, "1.23");
        check(0.1234, "0.123");
        check(-1234.0, "-1,234");
    }

    #[test]
    fn a_new_table_replaces_only_its_own() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, "a\n<!-- begin: small -->\nold\n<!-- end: small -->\nb\n")
            .expect("space");
        let mut table = Table::new();
        table.row("speed", 5.0, "m/s", Aim::AtLeast(6.0));
        write(file.path(), "small", &table, "a machine").expect("the marks are there");
        let text = std::fs::read_to_string(&file).expect("the file");
        assert!(text.starts_with("a\n<!-- begin: small -->\na machine\n"), "{text}");
        assert!(text.contains("| speed | 5.00 m/s | ≥ 6.00 | missed |"), "{text}");
        assert!(text.ends_with("<!-- end: small -->\nb\n") && !text.contains("old"), "{text}");
    }
}
