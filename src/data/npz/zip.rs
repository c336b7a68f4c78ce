//! The directory of a zip archive, as far as `.npz` files need it: what its members are and where they lie.
//!
//! PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central header), 4.3.14 to 4.3.16 (the ends of the
//! directory), 4.5.3 (lengths of 64 bits). Read by hand, since members that are not compressed are read in place.

use super::super::file::InputFile;
use crate::{Error, Place, Result};

/// The most a directory may take: a million members and more.
const MOST_DIRECTORY: u64 = 256 << 20;

/// The end of the directory, and the longest comment that may follow it.
const END: usize = 22;
const MOST_COMMENT: usize = 0xffff;

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) packing: Packing,
    /// The offset of its first byte, as packed.
    pub(super) start: u64,
    /// Its bytes as packed, and unpacked.
    pub(super) packed: u64,
    pub(super) unpacked: u64,
    pub(super) crc: u32,
}

/// How a member is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Stored,
    Deflated,
    /// In a way that is not read, with its number.
    Other(u16),
    Encrypted,
}

/// All members of an archive, in the order of its directory.
///
/// # Errors
/// [`Error::Data`] when the file is no zip archive or was cut short, [`Error::Io`] when it cannot be read.
pub(super) fn members(file: &InputFile) -> Result<Vec<Member>> {
    let damaged = |what: &str| {
        let message = format!("is no .npz file, or was cut short: {what}; save it again with numpy.savez");
        Error::data(Place::of(file.name()), message)
    };
    let (count, size, start) = directory(file)?.ok_or_else(|| damaged("the end of its directory is missing"))?;
    if size > MOST_DIRECTORY || start.checked_add(size).is_none_or(|end| end > file.len()) {
        return Err(damaged("its directory does not lie within it"));
    }
    let mut bytes = vec![0; size as usize];
    file.read_at(start, &mut bytes)?;
    let mut rest = Bytes(&bytes);
    let mut members = Vec::new();
    for _ in 0..count {
        let entry = central_header(&mut rest);
        let mut member = entry.ok_or_else(|| damaged("its directory is damaged"))?;
        let missing = format!("the member `{}` does not lie within it", member.name);
        member.start = values_start(file, member.start)?.ok_or_else(|| damaged(&missing))?;
        if member.start.checked_add(member.packed).is_none_or(|end| end > file.len()) {
            return Err(damaged(&missing));
        }
        members.push(member);
    }
    Ok(members)
}

/// The number of entries of the directory, its bytes, and its offset.
fn directory(file: &InputFile) -> Result<Option<(u64, u64, u64)>> {
    let length = file.len().min((END + MOST_COMMENT) as u64) as usize;
    let begin = file.len() - length as u64;
    let mut tail = vec![0; length];
    file.read_at(begin, &mut tail)?;
    // From the back: a comment may hold anything, but the end is the last that leaves just its comment behind it.
    let is_end = |at: &usize| {
        let mut end = Bytes(tail.get(*at..).unwrap_or(&[]));
        end.u32() == Some(0x0605_4b50) && end.skip(16) && end.u16().is_some_and(|n| usize::from(n) == end.0.len())
    };
    let Some(at) = (0..=length.saturating_sub(END)).rev().find(is_end) else { return Ok(None) };
    let mut end = Bytes(tail.get(at + 10..).unwrap_or(&[]));
    let (Some(count), Some(size), Some(start)) = (end.u16(), end.u32(), end.u32()) else { return Ok(None) };
    let plain = (u64::from(count), u64::from(size), u64::from(start));
    if count != u16::MAX && size != u32::MAX && start != u32::MAX {
        return Ok(Some(plain));
    }
    let Some(locator) = (begin + at as u64).checked_sub(20) else { return Ok(Some(plain)) };
    let mut bytes = [0; 20];
    file.read_at(locator, &mut bytes)?;
    let mut bytes = Bytes(&bytes);
    if bytes.u32() != Some(0x0706_4b50) {
        return Ok(Some(plain));
    }
    let _ = bytes.u32();
    match bytes.u64() {
        Some(at) if at.checked_add(56).is_some_and(|end| end <= file.len()) => large_directory(file, at),
        _ => Ok(None),
    }
}

/// The same of an archive whose directory counts in 64 bits.
fn large_directory(file: &InputFile, at: u64) -> Result<Option<(u64, u64, u64)>> {
    let mut bytes = [0; 56];
    file.read_at(at, &mut bytes)?;
    let mut bytes = Bytes(&bytes);
    if bytes.u32() != Some(0x0606_4b50) || !bytes.skip(28) {
        return Ok(None);
    }
    let (count, size, start) = (bytes.u64(), bytes.u64(), bytes.u64());
    Ok(count.zip(size).zip(start).map(|((count, size), start)| (count, size, start)))
}

/// One entry of the directory; its `start` is yet that of the local header.
fn central_header(rest: &mut Bytes<'_>) -> Option<Member> {
    if rest.u32()? != 0x0201_4b50 || !rest.skip(4) {
        return None;
    }
    let (flags, method) = (rest.u16()?, rest.u16()?);
    rest.skip(4);
    let crc = rest.u32()?;
    let (packed, unpacked) = (rest.u32()?, rest.u32()?);
    let (name, extra, comment) = (rest.u16()?, rest.u16()?, rest.u16()?);
    rest.skip(8);
    let start = rest.u32()?;
    let name = String::from_utf8_lossy(rest.take(name.into())?).into_owned();
    let mut large = large_lengths(rest.take(extra.into())?);
    rest.take(comment.into())?;
    // The lengths that did not fit are there in this order, and only these.
    let mut length = |short: u32| if short == u32::MAX { large.u64() } else { Some(u64::from(short)) };
    let (unpacked, packed, start) = (length(unpacked)?, length(packed)?, length(start)?);
    let packing = match (flags & 1, method) {
        (1, _) => Packing::Encrypted,
        (_, 0) if packed == unpacked => Packing::Stored,
        (_, 8) => Packing::Deflated,
        (_, other) => Packing::Other(other),
    };
    Some(Member { name, packing, start, packed, unpacked, crc })
}

/// The extra field with the lengths of 64 bits; empty where there is none.
fn large_lengths(extra: &[u8]) -> Bytes<'_> {
    let mut rest = Bytes(extra);
    while let (Some(id), Some(length)) = (rest.u16(), rest.u16()) {
        let Some(field) = rest.take(length.into()) else { break };
        if id == 1 {
            return Bytes(field);
        }
    }
    Bytes(&[])
}

/// Where a member's bytes begin: after its local header, whose extra field may differ from the directory's.
fn values_start(file: &InputFile, header: u64) -> Result<Option<u64>> {
    const HEADER: u64 = 30;
    if header.checked_add(HEADER).is_none_or(|end| end > file.len()) {
        return Ok(None);
    }
    let mut bytes = [0; HEADER as usize];
    file.read_at(header, &mut bytes)?;
    let mut bytes = Bytes(&bytes);
    if bytes.u32() != Some(0x0403_4b50) || !bytes.skip(22) {
        return Ok(None);
    }
    let lengths = bytes.u16().zip(bytes.u16());
    Ok(lengths.map(|(name, extra)| header + HEADER + u64::from(name) + u64::from(extra)))
}

/// Little-endian numbers, one after the other.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> bool {
        self.take(count).is_some()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }
}
