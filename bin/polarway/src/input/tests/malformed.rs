//! Malformed Arrow and Parquet files: each gives one line of error, and no panic escapes.

use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow_ipc::{CompressionType, MetadataVersion};

use super::*;

fn batch() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|number| number.to_string())));
    let categories =
        arrow_cast::cast(&texts, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)));
    RecordBatch::try_from_iter([("n", numbers), ("text", texts), ("category", categories.unwrap())]).unwrap()
}

fn file(compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch().schema(), options).unwrap();
    writer.write(&batch()).unwrap();
    writer.write(&batch()).unwrap();
    writer.into_inner().unwrap()
}

fn stream() -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch().schema()).unwrap();
    writer.write(&batch()).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn arrow_files_and_streams_are_read_as_they_were_written() {
    let twice = arrow_select::concat::concat_batches(&batch().schema(), &[batch(), batch()]).unwrap();
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        assert_eq!(read("x.arrow", file(compression), options()).unwrap(), twice);
    }
    assert_eq!(read("x.feather", stream(), options()).unwrap(), batch());
}

#[test]
fn arrow_files_and_streams_of_2019_and_before_are_read() {
    let early = || IpcWriteOptions::try_new(8, true, MetadataVersion::V4).unwrap();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch().schema(), early()).unwrap();
    writer.write(&batch()).unwrap();
    assert_eq!(read("x.arrow", writer.into_inner().unwrap(), options()).unwrap(), batch());
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch().schema(), early()).unwrap();
    writer.write(&batch()).unwrap();
    let stream = writer.into_inner().unwrap();
    assert_ne!(stream[..4], [0xff; 4]);
    assert_eq!(read("x.arrow", stream, options()).unwrap(), batch());
}

#[test]
fn whatever_byte_of_an_arrow_file_is_wrong_the_reader_lives() {
    let rounds = if polarway_testing::is_long() { 20_000 } else { 150 };
    let mut random = fastrand::Rng::with_seed(7);
    let folder = Folder::new();
    for whole in [file(None), file(Some(CompressionType::LZ4_FRAME)), stream()] {
        for _ in 0..rounds {
            let mut bytes = whole.clone();
            for _ in 0..random.usize(1..4) {
                let place = random.usize(..bytes.len());
                let any = random.u8(..);
                bytes[place] = *random.choice(&[0, 1, 0x7f, 0x80, 0xff, any]).unwrap();
            }
            bytes.truncate(bytes.len() - random.usize(..2) * random.usize(..bytes.len()));
            let path = folder.write("x.arrow", &bytes);
            let input = Input::new(&path, InputFormat::Arrow, options());
            let said = match input.open() {
                Ok(mut rows) => rows.find_map(Result::err),
                Err(error) => Some(error),
            };
            if let Some(error) = said {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
            }
        }
    }
}

#[test]
fn an_arrow_file_whose_index_lies_is_refused_by_name() {
    let whole = file(None);
    let footer = whole.len() - 10;
    let with_length = |length: i32| {
        let mut bytes = whole.clone();
        bytes[footer..footer + 4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    for bytes in
        [with_length(-1), with_length(i32::MAX), with_length(3), whole[..footer].to_vec(), b"ARROW1".to_vec()]
    {
        let error = read("x.arrow", bytes, options()).unwrap_err();
        assert!(error.contains("x.arrow is no Arrow IPC file: its index"), "{error}");
    }
}

#[test]
fn a_reader_that_panics_is_an_error_with_the_files_name() {
    let panics = || -> Result<FileRows, InputError> { panic!("on purpose") };
    let error = fence::Fenced::open("x.arrow".to_owned(), panics).err().unwrap().to_string();
    assert!(error.contains("x.arrow is malformed") && error.contains("on purpose"), "{error}");
}
