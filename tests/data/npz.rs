use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use superstep::data::{NpzFile, ReadOptions, RowSource, open};

use crate::{Folder, assert_reads, npy_bytes};

/// How a member is written.
#[derive(Clone, Copy)]
pub(crate) struct How {
    deflated: bool,
    /// With lengths of 64 bits, in the extra fields that numpy.savez always writes to local headers.
    large: bool,
}

pub(crate) const PLAIN: How = How { deflated: false, large: false };
pub(crate) const PACKED: How = How { deflated: true, large: false };
const LARGE: How = How { deflated: false, large: true };

/// A zip archive of these files, byte by byte.
pub(crate) fn zip(members: &[(&str, &[u8], How)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content, how) in members {
        let start = bytes.len() as u32;
        let packed = if how.deflated { deflate(content) } else { content.to_vec() };
        let method: u16 = if how.deflated { 8 } else { 0 };
        let crc = crc32(content);
        let large = [content.len() as u64, packed.len() as u64].map(u64::to_le_bytes).concat();
        let extra = if how.large { [&[1, 0, 16, 0], large.as_slice()].concat() } else { Vec::new() };
        let lengths = if how.large { [u32::MAX; 2] } else { [packed.len() as u32, content.len() as u32] };
        let mut common = [20_u16, 0, method, 0, 0].map(u16::to_le_bytes).concat();
        common.extend(crc.to_le_bytes());
        common.extend(lengths.map(u32::to_le_bytes).concat());
        common.extend([name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat());
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(&extra);
        bytes.extend(packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
        directory.extend(&extra);
    }
    let start = bytes.len();
    let count = members.len() as u64;
    bytes.extend(&directory);
    if members.iter().any(|(_, _, how)| how.large) {
        let end = bytes.len() as u64;
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend([count, count, directory.len() as u64, start as u64].map(u64::to_le_bytes).concat());
        bytes.extend(b"PK\x06\x07\x00\x00\x00\x00");
        bytes.extend(end.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(b"PK\x05\x06\x00\x00\x00\x00\xff\xff\xff\xff");
        bytes.extend([0xff; 8]);
    } else {
        bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
        bytes.extend([count as u16, count as u16].map(u16::to_le_bytes).concat());
        bytes.extend([directory.len() as u32, start as u32].map(u32::to_le_bytes).concat());
    }
    // A comment that looks like the end of a directory.
    bytes.extend(22_u16.to_le_bytes());
    bytes.extend(b"PK\x05\x06");
    bytes.extend([7; 18]);
    bytes
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

/// The checksum by its definition, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

fn npy(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    npy_bytes(&format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n"), values)
}

#[test]
fn stored_and_deflated_arrays_of_any_order_read_alike() {
    let folder = Folder::new();
    let values = [0.5_f64, -1.0, 2.0, 0.1, 1e30, 5.0];
    let by_columns = [0, 2, 4, 1, 3, 5].map(|at| values[at]);
    let narrow = values.map(|value| f64::from(value as f32));
    let wide_bytes = |values: [f64; 6]| values.map(f64::to_le_bytes).concat();
    let narrow_bytes = |values: [f64; 6]| values.map(|value| (value as f32).to_be_bytes()).concat();
    let cases = [
        (npy("<f8", false, "(3, 2)", &wide_bytes(values)), values),
        (npy("<f8", true, "(3, 2)", &wide_bytes(by_columns)), values),
        (npy(">f4", false, "(3, 2)", &narrow_bytes(values)), narrow),
        (npy(">f4", true, "(3, 2)", &narrow_bytes(by_columns)), narrow),
    ];
    for (at, (array, expected)) in cases.iter().enumerate() {
        for (how, memory) in [(PLAIN, None), (PACKED, None), (PACKED, Some(1)), (LARGE, None)] {
            println!("case {at}, deflated {}, large {}, memory {memory:?}", how.deflated, how.large);
            let path = folder.file("a.npz", zip(&[("arr_0.npy", array, how)]));
            let options = ReadOptions { memory, ..ReadOptions::default() };
            let file = open(&[path], &options).unwrap();
            assert_reads(&*file, 2, expected);
            assert_eq!(file.element_type(), if at < 2 { "f64" } else { "f32" });
            assert_eq!(file.is_wide(), at < 2);
            assert_eq!(file.notes().len(), usize::from(memory.is_some()), "a temporary file is told of");
        }
    }
}

#[test]
fn an_array_is_chosen_by_name_or_because_it_is_the_only_table() {
    let folder = Folder::new();
    let (table, list) = (npy("|u1", false, "(1, 2)", &[1, 2]), npy("|u1", false, "(2,)", &[3, 4]));
    for how in [PLAIN, PACKED] {
        let one = folder.file("one.npz", zip(&[("y.npy", &list, how), ("x.npy", &table, how), ("note.txt", b"", how)]));
        assert_reads(&NpzFile::open(&one, None).unwrap(), 2, &[1.0, 2.0]);
        assert_reads(&NpzFile::open(&one, Some("y")).unwrap(), 1, &[3.0, 4.0]);
        assert_reads(&NpzFile::open(&one, Some("y.npy")).unwrap(), 1, &[3.0, 4.0]);
        let place = NpzFile::open(&one, Some("y")).unwrap().place(1, 0).to_string();
        assert!(place.ends_with("one.npz:y, row 1, column 0"), "{place}");
        let missing = NpzFile::open(&one, Some("z")).err().unwrap().to_string();
        assert!(missing.contains("has no array `z`; it has x, y"), "{missing}");
        let two = folder.file("two.npz", zip(&[("b.npy", &table, how), ("a.npy", &table, how)]));
        let several = NpzFile::open(&two, None).err().unwrap().to_string();
        assert!(
            several.contains("holds several arrays: a, b; name one") && several.contains("two.npz:a`"),
            "{several}"
        );
        // As a name on the command line.
        let named = folder.path().join("one.npz:y");
        assert_reads(&*open(&[named], &ReadOptions::default()).unwrap(), 1, &[3.0, 4.0]);
    }
}

#[test]
fn broken_archives_are_refused() {
    let folder = Folder::new();
    let array = npy("<f4", false, "(2, 2)", &[0; 16]);
    let good = zip(&[("x.npy", &array, PLAIN)]);
    let packed = zip(&[("x.npy", &array, PACKED)]);
    let swap = |bytes: &[u8], from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).rposition(|window| window == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    let crc = crc32(&array).to_le_bytes();
    let method = |number: u8| swap(&good, &[20, 0, 0, 0, 0, 0], &[20, 0, 0, 0, number, 0]);
    let start_of_deflated = 30 + "x.npy".len();
    let mut bad_block = packed.clone();
    bad_block[start_of_deflated] = 0xff;
    let cases = [
        (Vec::new(), "cut short"),
        (array.clone(), "no .npz file"),
        (good[..good.len() - 1].to_vec(), "cut short"),
        (good[..good.len() / 2].to_vec(), "cut short"),
        (good[7..].to_vec(), "cut short"),
        (swap(&good, b"PK\x01\x02", b"PK\x01\x03"), "directory is damaged"),
        (swap(&good, b"PK\x03\x04", b"PK\x03\x05"), "member `x.npy` does not lie within it"),
        (swap(&packed, &crc, &[0; 4]), "checksum"),
        (bad_block, "cannot be unpacked"),
        (method(12), "method 12"),
        (swap(&good, &[20, 0, 0, 0, 0, 0], &[20, 0, 1, 0, 0, 0]), "encrypted"),
        (zip(&[("x.npy", &array[..array.len() - 1], PLAIN)]), "cut short"),
        (zip(&[("x.npy", &array[..array.len() - 1], PACKED)]), "cut short"),
        (zip(&[("x.npy", b"no array at all", PACKED)]), "no .npy file"),
        (zip(&[("x.npy", b"short", PACKED)]), "cannot be unpacked"),
        (zip(&[("x.txt", &array, PLAIN)]), "holds no array"),
        (zip(&[]), "holds no array"),
    ];
    for (at, (bytes, expected)) in cases.into_iter().enumerate() {
        let path = folder.file("bad.npz", bytes);
        let error = NpzFile::open(path, None).err().unwrap_or_else(|| panic!("case {at} was read")).to_string();
        assert!(error.contains("bad.npz") && error.contains(expected), "case {at}: {error}");
    }
}

#[test]
fn archives_of_noise_never_panic() {
    let folder = Folder::new();
    let array = npy("<f4", true, "(2, 2)", &[0; 16]);
    for how in [PLAIN, PACKED, LARGE] {
        let whole = zip(&[("x.npy", &array, how)]);
        for index in 0..whole.len() {
            for byte in [0, 0xff] {
                let mut bytes = whole.clone();
                bytes[index] = byte;
                // Some changes are harmless (a date); none may stop the program, when opened or when read.
                if let Ok(file) = NpzFile::open(folder.file("noise.npz", bytes), None) {
                    let _ = file.read_f64(0, &mut [0.0; 4]);
                }
            }
        }
    }
}
