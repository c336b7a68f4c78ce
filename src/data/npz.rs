//! NumPy's `.npz` files: zip archives of `.npy` files.

mod zip;

use std::borrow::Cow;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::path::Path;

use flate2::{Crc, bufread::DeflateDecoder};

use super::collect::{Block, Collected, Collector, Room};
use super::dtype::{DType, Origin};
use super::file::InputFile;
use super::inputs::choose;
use super::npy::{Header, NpyFile};
use super::source::{RowSource, forward, rows_of_read};
use crate::{Error, Place, Result};
use zip::{Member, Packing};

/// Bytes of a packed file that are read at a time.
const STAGE: usize = 256 << 10;

/// Values that are unpacked at a time.
const VALUES: usize = 1 << 16;

/// The longest header of an array that is read: its text says a type and two lengths.
const MOST_HEADER: u64 = 1 << 20;

/// One array of an `.npz` file, as [`NpyFile`] reads them.
///
/// Arrays as `numpy.savez` stores them are read in place. Those of `numpy.savez_compressed` are unpacked once, when they
/// are opened, into memory or a temporary file.
pub struct NpzFile(Box<dyn RowSource>);

impl NpzFile {
    /// Opens a file and finds the array of this name (with or without `.npy`); without a name, the only one, or the only
    /// one of two dimensions. A compressed array is kept in memory.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or read; [`Error::Data`] when it is no zip archive, is damaged, has no
    /// such array (what there is is listed), or the array is one that [`NpyFile`] refuses.
    pub fn open(path: impl AsRef<Path>, array: Option<&str>) -> Result<Self> {
        Self::open_within(path.as_ref(), array, &Room::new(None))
    }

    /// The same, with as much room in memory as is left of that of all files read together.
    pub(super) fn open_within(path: &Path, array: Option<&str>, room: &Room) -> Result<Self> {
        let file = InputFile::open(path)?;
        let mut arrays = zip::members(&file)?;
        arrays.retain(|member| member.name.ends_with(".npy"));
        arrays.sort_by(|a, b| a.name.cmp(&b.name));
        let named: Vec<(&str, usize)> = arrays
            .iter()
            .map(|member| (short(&member.name), if arrays.len() > 1 { dimensions(&file, member) } else { 0 }))
            .collect();
        let chosen = choose(&file.name(), "array", array.map(short), &named)?;
        let name = if arrays.len() == 1 { file.name() } else { format!("{}:{chosen}", file.name()) };
        let refuse = |message: String| Error::data(Place::of(&name), message);
        let member = arrays.iter().find(|member| short(&member.name) == chosen);
        let member = member.ok_or_else(|| refuse(format!("has no array `{chosen}`")))?.clone();
        match member.packing {
            Packing::Stored => {
                let bytes = member.start..member.start + member.packed;
                Ok(Self(Box::new(NpyFile::within(file, name, bytes)?)))
            }
            Packing::Deflated => Ok(Self(Box::new(unpack(&file, &name, &member, room)?))),
            Packing::Encrypted => Err(refuse("is encrypted, which is not read; save it without a password".into())),
            Packing::Other(method) => {
                Err(refuse(format!("is packed by method {method} of zip; save it again with numpy.savez")))
            }
        }
    }
}

impl RowSource for NpzFile {
    forward!(()(.0));
}

fn short(name: &str) -> &str {
    name.strip_suffix(".npy").unwrap_or(name)
}

/// The dimensions of an array, to choose between several; 0 where its header cannot be read, which is told when it is
/// opened.
fn dimensions(file: &InputFile, member: &Member) -> usize {
    let of = |header: io::Result<Header>| header.map_or(0, |header| header.shape.len());
    match member.packing {
        Packing::Stored => of(read_header(&mut Packed::new(file, member))),
        Packing::Deflated => of(read_header(&mut DeflateDecoder::new(Packed::new(file, member)))),
        _ => 0,
    }
}

/// The header at the start of an array's bytes, and no byte more.
fn read_header(from: &mut impl Read) -> io::Result<Header> {
    let mut head = vec![0; 12];
    from.read_exact(&mut head)?;
    let needed = Header::length(&head).filter(|needed| *needed <= MOST_HEADER);
    head.resize(needed.map_or(12, |needed| needed.max(12) as usize), 0);
    from.read_exact(head.get_mut(12..).unwrap_or(&mut []))?;
    Header::parse(&head).map(|(header, _)| header).map_err(io::Error::other)
}

/// Unpacks an array, in the order its values come in.
fn unpack(file: &InputFile, name: &str, member: &Member, room: &Room) -> Result<Unpacked> {
    let refuse = |message: String| Error::data(Place::of(name), message);
    let broken = |error: io::Error| match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => refuse(format!("cannot be unpacked ({error}); it is damaged: save it again")),
    };
    let mut from = Checked { from: DeflateDecoder::new(Packed::new(file, member)), crc: Crc::new() };
    let header = read_header(&mut from).map_err(broken)?;
    let form = header.form(u64::from(from.crc.amount()), member.unpacked).map_err(refuse)?;
    let columns = usize::try_from(form.columns).map_err(|_| refuse("has rows longer than memory".to_owned()))?;
    // Values in Fortran order are kept as one long column, and picked from it when rows are read.
    let (rows, width) = if header.fortran_order { (form.rows * form.columns, 1) } else { (form.rows, columns) };
    let mut collector = Collector::new(name, width, room);
    let mut bytes = Vec::new();
    let mut left = rows;
    while left > 0 {
        let now = left.min((VALUES / width).max(1) as u64);
        bytes.resize(now as usize * width * header.dtype.size(), 0);
        from.read_exact(&mut bytes).map_err(broken)?;
        collector.push(decoded(header.dtype, &bytes, now as usize * width))?;
        left -= now;
    }
    // The end of the packed bytes must be the end of the values, too.
    let more = from.read(&mut [0]).map_err(broken)?;
    if more != 0 || from.crc.sum() != member.crc {
        return Err(refuse(
            "does not have the checksum that the archive tells; it is damaged: save it again".to_owned(),
        ));
    }
    let by_columns = header.fortran_order;
    Ok(Unpacked { values: collector.finish(), dtype: header.dtype, rows: form.rows, columns, by_columns })
}

fn decoded(dtype: DType, bytes: &[u8], count: usize) -> Block {
    if dtype.is_wide() {
        let mut values = vec![0.0; count];
        dtype.decode(bytes, Origin::Nowhere, &mut values, 1);
        Block::Wide(values)
    } else {
        let mut values = vec![0.0; count];
        dtype.decode(bytes, Origin::Nowhere, &mut values, 1);
        Block::Narrow(values)
    }
}

/// An array that was compressed.
struct Unpacked {
    /// The rows, or one column of all values where they came column by column.
    values: Collected,
    dtype: DType,
    rows: u64,
    columns: usize,
    by_columns: bool,
}

impl Unpacked {
    /// Picks rows from values that came column by column: `read(number of the first value, piece)` for each column.
    fn pick<T: Copy + Default>(
        &self,
        first: u64,
        out: &mut [T],
        read: impl Fn(u64, usize, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        let rows = out.len() / self.columns;
        let mut piece = vec![T::default(); rows.min(VALUES)];
        for (at, out) in out.chunks_mut(VALUES * self.columns).enumerate() {
            let first = first + (at * VALUES) as u64;
            for column in 0..self.columns {
                let slots = out.iter_mut().skip(column).step_by(self.columns);
                let piece = piece.get_mut(..slots.len()).unwrap_or(&mut []);
                read(column as u64 * self.rows + first, column, piece)?;
                slots.zip(piece).for_each(|(out, value)| *out = *value);
            }
        }
        Ok(())
    }
}

impl RowSource for Unpacked {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        if self.by_columns { None } else { self.values.in_memory(rows) }
    }

    fn will_need(&self, rows: Range<u64>) {
        if !self.by_columns {
            return self.values.will_need(rows);
        }
        for column in 0..self.columns as u64 {
            self.values.will_need(column * self.rows + rows.start..column * self.rows + rows.end.min(self.rows));
        }
    }

    fn is_wide(&self) -> bool {
        self.dtype.is_wide()
    }

    fn element_type(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.dtype.name())
    }

    fn notes(&self) -> Vec<String> {
        self.values.notes()
    }

    fn held(&self) -> u64 {
        self.values.held()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        rows_of_read(self.rows, self.columns, first, &[], out.len())?;
        if !self.by_columns {
            return self.values.read_f64(first, out);
        }
        self.pick(first, out, |at, _, piece| self.values.read_f64(at, piece))
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        rows_of_read(self.rows, self.columns, first, origin, out.len())?;
        if !self.by_columns {
            return self.values.read_f32(first, origin, out);
        }
        self.pick(first, out, |at, column, piece| {
            let origin = origin.get(column..=column).unwrap_or(&[]);
            self.values.read_f32(at, origin, piece)
        })
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.values.place(0, 0).row(row).column(column as u64)
    }
}

/// The packed bytes of a member, read in pieces.
struct Packed<'a> {
    file: &'a InputFile,
    /// Those that are yet to be read.
    at: u64,
    end: u64,
    stage: Vec<u8>,
    used: usize,
}

impl<'a> Packed<'a> {
    fn new(file: &'a InputFile, member: &Member) -> Self {
        Self { file, at: member.start, end: member.start + member.packed, stage: Vec::new(), used: 0 }
    }
}

impl BufRead for Packed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.stage.len() {
            self.stage.resize((self.end - self.at).min(STAGE as u64) as usize, 0);
            self.file.read_at(self.at, &mut self.stage).map_err(io::Error::other)?;
            self.at += self.stage.len() as u64;
            self.used = 0;
        }
        Ok(self.stage.get(self.used..).unwrap_or(&[]))
    }

    fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.stage.len());
    }
}

impl Read for Packed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

/// Unpacked bytes, with the checksum of those that have been read.
struct Checked<R> {
    from: R,
    crc: Crc,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(out)?;
        self.crc.update(out.get(..count).unwrap_or(&[]));
        Ok(count)
    }
}
