//! Files that are compressed as a whole, whatever their names.

use std::io::Read as _;

use flate2::read::GzEncoder;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut compressed).unwrap();
    compressed
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

#[test]
fn a_compressed_text_is_read_by_what_it_is_and_not_by_its_name_alone() {
    let csv = b"n,name\n1,one\n2,two\n";
    let plain = read("x.csv", csv, options()).unwrap();
    for (name, bytes) in [
        ("x.csv.gz", gzip(csv)),
        ("x.csv.GZ", gzip(csv)),
        ("x.csv.zst", zstd(csv)),
        ("x.csv", gzip(csv)),
        ("x.csv.gz", zstd(csv)),
        ("x.csv.gz", csv.to_vec()),
        ("x.csv.gz", [gzip(&csv[..7]), gzip(&csv[7..])].concat()),
        ("x.csv.zst", [&b"\x50\x2a\x4d\x18\x04\0\0\0skip"[..], &zstd(&csv[..7]), &zstd(&csv[7..])].concat()),
    ] {
        assert_eq!(read(name, bytes, options()).unwrap(), plain, "{name}");
    }
    let json = b"{\"n\": 1}\n";
    for (name, bytes) in
        [("x.jsonl.gz", gzip(json)), ("x.ndjson.zst", zstd(json)), ("x.json.zstd", zstd(json))]
    {
        assert_eq!(read(name, bytes, options()).unwrap().num_rows(), 1, "{name}");
    }
}

#[test]
fn compressed_parquet_and_arrow_files_are_read_too() {
    use crate::output::{Shape, Writer};

    let batch = read("x.csv", "n,name\n1,one\n2,\n", options()).unwrap();
    let folder = Folder::new();
    let path = folder.0.path().join("x");
    for (name, format) in
        [("x.parquet", crate::format::OutputFormat::Parquet), ("x.arrow", crate::format::OutputFormat::Arrow)]
    {
        let sink = Box::new(File::create(&path).unwrap());
        let mut writer = Writer::start(format, &batch.schema(), sink, Shape { width: None }).unwrap();
        writer.write(&batch).unwrap();
        drop(writer.finish().unwrap());
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(read(&format!("{name}.gz"), gzip(&bytes), options()).unwrap(), batch, "{name}");
        assert_eq!(read(name, zstd(&bytes), options()).unwrap(), batch, "{name}");
    }
}

#[test]
fn a_compressed_file_is_counted_as_it_lies_and_read_again() {
    let folder = Folder::new();
    let bytes = gzip(b"n\n1\n2\n");
    let path = folder.write("x.csv.gz", &bytes);
    let input = Input::new(&path, InputFormat::of(&path).unwrap(), options());
    for _ in 0..2 {
        let rows: usize = input.open().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!((rows, input.read_bytes().load(Ordering::Relaxed)), (2, bytes.len() as u64));
    }
    assert_eq!(input.total_bytes(), Some(bytes.len() as u64));
}

#[test]
fn a_compressed_file_that_is_damaged_is_an_error_and_not_a_shorter_table() {
    let csv = format!("n\n{}", "1234567\n".repeat(100_000));
    for (name, whole) in [("x.csv.gz", gzip(csv.as_bytes())), ("x.csv.zst", zstd(csv.as_bytes()))] {
        for end in [whole.len() - 1, whole.len() / 2] {
            let error = read(name, &whole[..end], options()).unwrap_err();
            assert!(error.contains(&format!("{name} can't be read")), "{error}");
        }
    }
}

#[test]
fn a_compression_that_is_not_read_is_named_with_the_program_that_reads_it() {
    for (start, named) in [
        (&b"\xfd7zXZ\0rest"[..], "xz -dc"),
        (b"BZh91AY&SYrest", "bzip2 -dc"),
        (b"PK\x03\x04rest", "unzip -p"),
        (b"\x04\x22\x4d\x18rest", "lz4 -dc"),
        (b"7z\xbc\xaf\x27\x1crest", "7-Zip"),
    ] {
        let error = read("x.csv", start, options()).unwrap_err();
        assert!(error.contains("x.csv is compressed with") && error.contains(named), "{error}");
    }
    // A text that begins like a compressed file is read as text.
    assert_eq!(read("x.csv", "BZh,n\n1,2\n", options()).unwrap().num_columns(), 2);
}
