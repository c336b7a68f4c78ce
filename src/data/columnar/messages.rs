//! The messages of Arrow's IPC format, read by position and checked before they are decoded.
//!
//! The decoder of crate `arrow-ipc` takes as much memory as a message claims to hold. Lengths are therefore compared here
//! with what the file has, and with what a compressed buffer can hold at most: a damaged file is an error, and does not end
//! the program.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_schema_from_flatbuffer_bytes;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_ipc::{CompressionType, Endianness, MetadataVersion, root_as_message};
use arrow_schema::{Schema, SchemaRef};

use crate::Result;
use crate::data::file::InputFile;

/// What begins and ends a file, as against a stream.
const MARK: &[u8; 6] = b"ARROW1";

/// The length that says that the true length follows.
const CONTINUED: u32 = u32::MAX;

/// How often longer than compressed a buffer can be: in LZ4 a byte stands for up to 255, in Zstandard a block of four
/// bytes for up to 128 KiB.
const MOST_BY_LZ4: u64 = 256;
const MOST_BY_ZSTD: u64 = 1 << 15;

/// Why a message cannot be read.
pub(super) enum Fault {
    /// The file itself could not be read.
    File(crate::Error),
    /// What it holds is not in order; continues "… (".
    Content(String),
}

impl From<crate::Error> for Fault {
    fn from(error: crate::Error) -> Self {
        Self::File(error)
    }
}

impl From<&str> for Fault {
    fn from(what: &str) -> Self {
        Self::Content(what.to_owned())
    }
}

/// Reads the record batches of a file or stream in the order they lie there.
pub(super) struct Messages {
    file: Arc<InputFile>,
    schema: SchemaRef,
    version: MetadataVersion,
    at: u64,
    end: u64,
}

/// A message but for its body.
struct Head {
    bytes: Vec<u8>,
    /// Where the body begins.
    body: u64,
}

impl Messages {
    /// Reads the schema.
    pub(super) fn open(file: Arc<InputFile>) -> Result<Self, Fault> {
        let (at, end) = extent(&file)?;
        let none = Arc::new(Schema::empty());
        let mut messages = Self { file, schema: none, version: MetadataVersion::V5, at, end };
        let head = messages.head()?.ok_or("it is empty")?;
        let message = root_as_message(&head.bytes).map_err(|error| Fault::Content(error.to_string()))?;
        let schema = message.header_as_schema().ok_or("it does not begin with a schema")?;
        if schema.endianness() != Endianness::Little {
            return Err("its numbers are big-endian".into());
        }
        messages.version = message.version();
        let schema = try_schema_from_flatbuffer_bytes(&head.bytes);
        messages.schema = Arc::new(schema.map_err(|error| Fault::Content(error.to_string()))?);
        messages.at = head.body;
        Ok(messages)
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next record batch, of the chosen columns in their order; `None` after the last.
    pub(super) fn next(&mut self, chosen: &[usize]) -> Result<Option<RecordBatch>, Fault> {
        loop {
            let Some(head) = self.head()? else { return Ok(None) };
            let message = root_as_message(&head.bytes).map_err(|error| Fault::Content(error.to_string()))?;
            let length = u64::try_from(message.bodyLength()).unwrap_or(u64::MAX);
            self.at = self.end_of(head.body, length)?;
            // Dictionaries are of columns that are not read.
            if message.header_as_dictionary_batch().is_some() {
                continue;
            }
            let batch = message.header_as_record_batch().ok_or("a message is neither a batch nor a dictionary")?;
            let body = self.body(head.body, length)?;
            check(&batch, &body)?;
            let dictionaries = HashMap::new();
            let decoder = RecordBatchDecoder::try_new(&body, batch, self.schema.clone(), &dictionaries, &self.version);
            let decoded = decoder.and_then(|decoder| decoder.with_projection(Some(chosen)).read_record_batch());
            return decoded.map(Some).map_err(|error| Fault::Content(error.to_string()));
        }
    }

    /// Reads what comes before a body: the length, in one or two words, and so many bytes. `None` at the end.
    fn head(&self) -> Result<Option<Head>, Fault> {
        if self.at == self.end {
            return Ok(None);
        }
        let mut at = self.at;
        let mut length = self.word(at)?;
        at += 4;
        if length == CONTINUED {
            length = self.word(at)?;
            at += 4;
        }
        if length == 0 {
            return Ok(None);
        }
        let body = self.end_of(at, length.into())?;
        let mut bytes = vec![0; length as usize];
        self.file.read_at(at, &mut bytes)?;
        Ok(Some(Head { bytes, body }))
    }

    fn word(&self, at: u64) -> Result<u32, Fault> {
        self.end_of(at, 4)?;
        let mut word = [0; 4];
        self.file.read_at(at, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// Where so many bytes from `at` on end, if the file has them.
    fn end_of(&self, at: u64, length: u64) -> Result<u64, Fault> {
        let end = at.checked_add(length).filter(|end| *end <= self.end);
        end.ok_or_else(|| format!("{length} bytes from byte {at} on reach past its end")).map_err(Fault::Content)
    }

    fn body(&self, at: u64, length: u64) -> Result<Buffer, Fault> {
        // In words, so that the decoder finds every buffer aligned and copies none.
        let mut words = vec![0_u64; length.div_ceil(8) as usize];
        let bytes = bytemuck::cast_slice_mut(&mut words);
        self.file.read_at(at, bytes.get_mut(..length as usize).unwrap_or_default())?;
        Ok(Buffer::from_vec(words).slice_with_length(0, length as usize))
    }
}

/// Where the messages of a file begin and end: all of a stream, and what lies before the footer of a file.
fn extent(file: &InputFile) -> Result<(u64, u64), Fault> {
    let length = file.len();
    let mut start = [0; MARK.len()];
    let is_file = length >= start.len() as u64 && {
        file.read_at(0, &mut start)?;
        start == *MARK
    };
    if !is_file {
        return Ok((0, length));
    }
    let mut tail = [0; 4 + MARK.len()];
    let footer_end = length.checked_sub(tail.len() as u64).filter(|end| *end >= 8);
    let footer_end = footer_end.ok_or("it ends before its footer")?;
    file.read_at(footer_end, &mut tail)?;
    let [a, b, c, d, mark @ ..] = tail;
    let end = footer_end.checked_sub(u32::from_le_bytes([a, b, c, d]).into()).filter(|end| *end >= 8);
    let end = end.filter(|_| mark == *MARK).ok_or("its footer is not there")?;
    Ok((after_padding(file, end)?, end))
}

/// Where the first message of a file begins: at 8, or where the zeros end that some writers put there.
fn after_padding(file: &InputFile, end: u64) -> Result<u64, Fault> {
    let mut at = 8;
    let mut word = [0; 8];
    while end - at >= 8 {
        file.read_at(at, &mut word)?;
        if word != [0; 8] {
            break;
        }
        at += 8;
    }
    Ok(at)
}

/// Whether the buffers of a batch lie in its body, and hold what they claim when they are decompressed.
fn check(batch: &arrow_ipc::RecordBatch, body: &Buffer) -> Result<(), Fault> {
    let most = batch.compression().map(|compression| match compression.codec() {
        CompressionType::LZ4_FRAME => MOST_BY_LZ4,
        _ => MOST_BY_ZSTD,
    });
    for buffer in batch.buffers().into_iter().flatten() {
        let range = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
        let range = range.and_then(|(offset, length)| Some(offset..offset.checked_add(length)?));
        let bytes = range.and_then(|range| body.get(range)).ok_or("a buffer reaches past its batch")?;
        if let (Some(most), Some((claimed, compressed))) = (most, bytes.split_first_chunk::<8>()) {
            // -1 says that the rest is not compressed.
            let claimed = i64::from_le_bytes(*claimed);
            let room = (compressed.len() as u64).saturating_mul(most);
            if claimed < -1 || (claimed > 0 && claimed.unsigned_abs() > room) {
                return Err(Fault::Content(format!(
                    "a buffer of {} bytes claims to hold {claimed}, more than can be",
                    compressed.len()
                )));
            }
        }
    }
    Ok(())
}
