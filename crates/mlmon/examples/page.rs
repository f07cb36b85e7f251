//! A report of two CSV files: `cargo run -p mlmon --example page REFERENCE CURRENT MONITORS OUT.html`.
//! What `trefoil drift` does, without its readers: for looking at the page while working on it.

#![expect(clippy::print_stdout, reason = "the table is the output")]

use std::fs::File;
use std::sync::Arc;

use arrow_array::RecordBatch;
use mlmon::monitor::Monitor;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [reference, current, monitors, out] = &arguments[..] else {
        return Err("REFERENCE CURRENT MONITORS OUT.html".into());
    };
    let monitors = Monitor::read(&std::fs::read_to_string(monitors)?)?;
    let monitor = monitors.first().ok_or("no monitor")?;
    let outcome = monitor.run(&[read(reference)?], &[read(current)?])?;
    print!("{}", mlmon::report::table(&outcome, false));
    std::fs::write(out, mlmon::report::page(&outcome))?;
    Ok(())
}

fn read(path: &str) -> Result<RecordBatch, Box<dyn std::error::Error>> {
    let format = arrow_csv::reader::Format::default().with_header(true);
    let (schema, _) = format.infer_schema(File::open(path)?, Some(10_000))?;
    let mut reader = arrow_csv::ReaderBuilder::new(Arc::new(schema))
        .with_header(true)
        .with_batch_size(1 << 22)
        .build(File::open(path)?)?;
    Ok(reader.next().ok_or("no rows")??)
}
