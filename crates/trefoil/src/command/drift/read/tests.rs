use arrow::array::{Float64Array, Int64Array, StringArray};
use mlmon::stream::Rows as _;

use super::*;
use crate::command::drift::source;

async fn table(directory: &Path, thorough: bool) -> anyhow::Result<Table> {
    let progress = Progress::new();
    let name = directory.display().to_string();
    let source = source::open(&name, directory, &progress).await?;
    Table::open(&source, &progress, thorough)
}

fn columns(batches: &[RecordBatch], name: &str) -> Vec<String> {
    let mut values = Vec::new();
    for batch in batches {
        let texts = arrow::compute::cast(batch.column_by_name(name).unwrap(), &DataType::Utf8);
        let texts = texts.unwrap();
        let texts = arrow::array::AsArray::as_string::<i32>(&texts);
        values.extend(texts.iter().map(|text| text.unwrap_or("null").to_owned()));
    }
    values
}

#[tokio::test]
async fn files_of_every_format_are_one_table() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("a.csv"), "n,name\n1,x\n2,y\n").unwrap();
    std::fs::write(at("b.ndjson"), "{\"name\": \"z\", \"n\": 2.5}\n{\"n\": null}\n").unwrap();
    let batch = RecordBatch::try_from_iter([
        ("extra", Arc::new(Int64Array::from(vec![7])) as ArrayRef),
        ("n", Arc::new(Float64Array::from(vec![9.0]))),
        ("name", Arc::new(StringArray::from(vec!["w"]))),
    ])
    .unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(
        File::create(at("c.parquet")).unwrap(),
        batch.schema(),
        None,
    )
    .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let file = File::create(at("d.arrow")).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();

    let table = table(directory.path(), false).await.unwrap();
    let all = table.all().unwrap();
    assert_eq!(columns(&all, "n"), ["1.0", "2.0", "2.5", "null", "9.0", "9.0"]);
    assert_eq!(columns(&all, "name"), ["x", "y", "z", "null", "w", "w"]);
    assert_eq!(columns(&all, "extra"), ["null", "null", "null", "null", "7", "7"]);
    let mut some = Vec::new();
    let wanted = ["name".to_owned(), "n".to_owned()];
    table
        .each(&wanted, &mut |batch| {
            some.push(batch.clone());
            Ok(())
        })
        .unwrap();
    assert_eq!(some[0].schema().field(0).name(), "name");
    assert_eq!(some[0].num_columns(), 2);
    assert_eq!(columns(&some, "n"), columns(&all, "n"));
}

#[tokio::test]
async fn streams_of_arrow_and_compressed_texts_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| File::create(directory.path().join(name)).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("name", Arc::new(StringArray::from(vec!["x", "y"]))),
    ])
    .unwrap();
    let mut stream =
        arrow_ipc::writer::StreamWriter::try_new(at("a.arrow"), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    stream.finish().unwrap();
    let mut packed = flate2::write::GzEncoder::new(at("b.csv.gz"), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, b"name,n\nz,3\n").unwrap();
    packed.finish().unwrap();
    let table = table(directory.path(), false).await.unwrap();
    let all = table.all().unwrap();
    assert_eq!(columns(&all, "n"), ["1", "2", "3"]);
    assert_eq!(columns(&all, "name"), ["x", "y", "z"]);
    assert_eq!(Format::of("a.parquet.gz"), None);
}

#[tokio::test]
async fn types_that_hold_for_the_first_rows_only_are_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = String::from("n\n");
    (0..INFER_ROWS + 10).for_each(|row| text.push_str(&format!("{row}\n")));
    text.push_str("1.5\n");
    std::fs::write(directory.path().join("a.csv"), text).unwrap();
    let first = table(directory.path(), false).await.unwrap();
    assert!(first.all().is_err() && first.misread());
    let second = table(directory.path(), true).await.unwrap();
    assert_eq!(columns(&second.all().unwrap(), "n").last().unwrap(), "1.5");
}

#[test]
fn differing_types_meet_in_one_that_holds_both() {
    let schema =
        |data_type: DataType| Arc::new(Schema::new(vec![Field::new("x", data_type, false)]));
    let check = |left: DataType, right: DataType, both: DataType| {
        let (left, right) = (schema(left), schema(right));
        let fields = |schema: &Schema| schema.fields().iter().cloned().collect::<Vec<_>>();
        let (left, right) = (fields(&left), fields(&right));
        let met = unified([&left, &right].into_iter().map(|f| f.iter().map(AsRef::as_ref)));
        assert_eq!(met.field(0).data_type(), &both);
    };
    check(DataType::Int64, DataType::Float64, DataType::Float64);
    check(DataType::Int64, DataType::Int64, DataType::Int64);
    check(DataType::Null, DataType::Int64, DataType::Int64);
    check(DataType::Boolean, DataType::Utf8, DataType::Utf8);
    let item = |number: &DataType| Arc::new(Field::new_list_field(number.clone(), true));
    let (floats, doubles) = (item(&DataType::Float32), item(&DataType::Float64));
    let fixed = DataType::FixedSizeList(Arc::clone(&floats), 4);
    let (singles, large) = (DataType::List(Arc::clone(&floats)), DataType::LargeList(floats));
    check(fixed.clone(), singles, large);
    check(fixed.clone(), DataType::List(Arc::clone(&doubles)), DataType::LargeList(doubles));
    check(fixed, DataType::Float64, DataType::Utf8);
}

#[tokio::test]
async fn vectors_of_files_of_every_format_are_one_column() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("a.ndjson"), "{\"v\": [1, 2.5]}\n{\"v\": null}\n{\"v\": []}\n").unwrap();
    let rows = [Some(vec![Some(3.0_f32), Some(4.0)]), None];
    let fixed = arrow::array::FixedSizeListArray::from_iter_primitive::<
        arrow::datatypes::Float32Type,
        _,
        _,
    >(rows, 2);
    let batch = RecordBatch::try_from_iter([("v", Arc::new(fixed) as ArrayRef)]).unwrap();
    let file = File::create(at("b.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut stream = arrow_ipc::writer::StreamWriter::try_new(
        File::create(at("c.arrow")).unwrap(),
        &batch.schema(),
    )
    .unwrap();
    stream.write(&batch).unwrap();
    stream.finish().unwrap();
    let all = table(directory.path(), false).await.unwrap().all().unwrap();
    let vectors = ["[1.0, 2.5]", "null", "[]", "[3.0, 4.0]", "null", "[3.0, 4.0]", "null"];
    assert_eq!(columns(&all, "v"), vectors);
    assert!(is_embedding(all[0].schema().field(0).data_type()));
}
