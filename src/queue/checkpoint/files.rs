//! A checkpoint on the disk: `checkpoint.json` names the files of all ranks, which are safetensors.

use crate::backend::Element;
use crate::data::output::{settle_folder, write_whole};
use crate::queue::listener::Stop;
use crate::queue::object::Hosted;
use crate::{Error, Place, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// The file that names the others.
const MANIFEST: &str = "checkpoint.json";

/// The version of the files.
const FORMAT: u64 = 1;

/// How names of notes begin, which are no names of objects.
const NOTE: &str = "note: ";

/// What a checkpoint consists of.
pub(super) struct Manifest {
    pub(super) generation: u64,
    pub(super) round: u32,
    pub(super) ended: Option<Stop>,
    pub(super) fingerprint: Vec<(String, String)>,
    /// What each rank says of its file.
    pub(super) parts: Vec<Vec<u8>>,
}

impl Manifest {
    /// Reads that of a folder; `None` where there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path, error)),
        };
        let damaged = || damaged(&path, "it does not read as one");
        let value: Value = serde_json::from_slice(&text).map_err(|_| damaged())?;
        if value["format"].as_u64() != Some(FORMAT) {
            let message = format!("its format is {}, and {FORMAT} is read", value["format"]);
            return Err(Error::data(Place::of(path.display().to_string()), message));
        }
        let pairs = value["fingerprint"].as_object().ok_or_else(damaged)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(damaged);
        let fingerprint = pairs.iter().map(|(name, value)| Ok((name.clone(), text(value)?))).collect::<Result<_>>()?;
        let parts = value["parts"].as_array().filter(|parts| !parts.is_empty()).ok_or_else(damaged)?;
        Ok(Some(Self {
            generation: value["generation"].as_u64().ok_or_else(damaged)?,
            round: value["round"].as_u64().and_then(|round| u32::try_from(round).ok()).ok_or_else(damaged)?,
            ended: value["ended"].as_str().map(|word| stop_of(word).ok_or_else(damaged)).transpose()?,
            fingerprint,
            parts: parts.iter().map(|part| part.to_string().into_bytes()).collect(),
        }))
    }

    /// Writes it in place of the one before, in one step.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let part = |part: &Vec<u8>| serde_json::from_slice::<Value>(part).unwrap_or(Value::Null);
        let fingerprint = self.fingerprint.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let value = json!({
            "format": FORMAT,
            "generation": self.generation,
            "round": self.round,
            "ended": self.ended.map(word_of),
            "fingerprint": Value::Object(fingerprint),
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
        });
        write_whole(&folder.join(MANIFEST), |out| writeln!(out, "{value:#}"))?;
        settle_folder(folder)
    }

    /// Removes the files of other checkpoints. One that cannot be removed stays: the next time is tried again.
    pub(super) fn clear_others(&self, folder: &Path) {
        let own = format!("part-{}-", self.generation);
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_part = name.starts_with("part-") && name.ends_with(".safetensors");
            // What a writer that was killed has left begins with a dot.
            if (is_part && !name.starts_with(&own)) || name.starts_with(".superstep-") {
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }

    /// How many ranks wrote it.
    pub(super) fn count(&self) -> usize {
        self.parts.len()
    }

    fn of_part(&self, number: usize) -> Value {
        self.parts.get(number).and_then(|part| serde_json::from_slice(part).ok()).unwrap_or(Value::Null)
    }

    /// The rows of this name that a part has.
    pub(super) fn rows_of(&self, number: usize, name: &str) -> Option<std::ops::Range<u64>> {
        let value = &self.of_part(number)["rows"][name];
        Some(value[0].as_u64()?..value[1].as_u64()?)
    }

    /// Reads the file of a rank, and checks that it is as it was written.
    pub(super) fn part(&self, folder: &Path, number: usize) -> Result<Part> {
        let value = self.of_part(number);
        let path = folder.join(value["file"].as_str().unwrap_or("(no name)"));
        let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        if value["checksum"].as_str() != Some(&checksum(&bytes)) {
            return Err(damaged(&path, "its bytes are not those that were written"));
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&path, &error.to_string()))?;
        let tensors = file.tensors().into_iter().map(|(name, view)| Tensor {
            name,
            of: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        });
        Ok(Part { tensors: tensors.collect(), ..Part::default() })
    }
}

/// An array of a file.
pub(super) struct Tensor {
    name: String,
    of: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

/// What one rank writes.
#[derive(Default)]
pub(super) struct Part {
    tensors: Vec<Tensor>,
    /// The rows that it has of each table.
    rows: Vec<(&'static str, std::ops::Range<u64>)>,
    /// Objects of the host, of one that stays in memory.
    held: Vec<(&'static str, Arc<Hosted>)>,
}

impl Part {
    pub(super) fn add(&mut self, name: &str, of: Option<Element>, shape: Vec<usize>, bytes: Vec<u8>) {
        self.tensors.push(Tensor { name: name.to_owned(), of: dtype(of), shape, bytes });
    }

    pub(super) fn hold(&mut self, name: &'static str, object: Arc<Hosted>) {
        self.held.push((name, object));
    }

    pub(super) fn held(&self, name: &str) -> Option<&Arc<Hosted>> {
        self.held.iter().find(|(other, _)| *other == name).map(|(_, object)| object)
    }

    pub(super) fn add_note(&mut self, name: &str, bytes: Vec<u8>) {
        self.add(&format!("{NOTE}{name}"), None, vec![bytes.len()], bytes);
    }

    pub(super) fn add_rows(&mut self, name: &'static str, rows: std::ops::Range<u64>) {
        if self.rows.iter().all(|(other, _)| *other != name) {
            self.rows.push((name, rows));
        }
    }

    pub(super) fn tensor(&self, name: &str, of: Option<Element>) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name == name && tensor.of == dtype(of))
    }

    pub(super) fn note(&self, name: &str) -> Option<&[u8]> {
        self.tensor(&format!("{NOTE}{name}"), None).map(|tensor| &*tensor.bytes)
    }

    /// The bytes of all arrays.
    pub(super) fn bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes.len() as u64).sum()
    }

    /// The rows of each table.
    fn rows_json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, rows)| ((*name).to_owned(), json!([rows.start, rows.end])));
        Value::Object(rows.collect())
    }

    /// What a manifest says of one that is in no file.
    pub(super) fn unwritten(&self) -> Vec<u8> {
        json!({ "rows": self.rows_json() }).to_string().into_bytes()
    }

    /// Writes the file, brings it to the disk, and says of it what the manifest is to say.
    pub(super) fn write(&self, folder: &Path, generation: u64, rank: usize) -> Result<Vec<u8>> {
        let name = format!("part-{generation}-{rank}.safetensors");
        let path = folder.join(&name);
        let refused = |error: safetensors::SafeTensorError| damaged(&path, &error.to_string());
        let views = self
            .tensors
            .iter()
            .map(|tensor| Ok((tensor.name.as_str(), TensorView::new(tensor.of, tensor.shape.clone(), &tensor.bytes)?)));
        let views = views.collect::<std::result::Result<Vec<_>, _>>().map_err(refused)?;
        let bytes = safetensors::serialize(views, None).map_err(refused)?;
        write_whole(&path, |out| out.write_all(&bytes))?;
        let value = json!({ "file": name, "checksum": checksum(&bytes), "rows": self.rows_json() });
        Ok(value.to_string().into_bytes())
    }
}

/// Files hold numbers with the low byte first, as all machines do that the crate runs on; objects of the host are bytes.
fn dtype(of: Option<Element>) -> Dtype {
    match of {
        Some(Element::F32) => Dtype::F32,
        Some(Element::F64) => Dtype::F64,
        Some(Element::I32) => Dtype::I32,
        Some(Element::U32) => Dtype::U32,
        Some(Element::I64) => Dtype::I64,
        Some(Element::U64) => Dtype::U64,
        None => Dtype::U8,
    }
}

fn word_of(stop: Stop) -> &'static str {
    match stop {
        Stop::Criterion => "criterion",
        Stop::MaxIter => "max_iter",
        Stop::NoFeedback => "no_feedback",
        Stop::EndOfData => "end_of_data",
        Stop::Interrupted => "interrupted",
    }
}

fn stop_of(word: &str) -> Option<Stop> {
    let all = [Stop::Criterion, Stop::MaxIter, Stop::NoFeedback, Stop::EndOfData];
    all.into_iter().find(|stop| word_of(*stop) == word)
}

fn damaged(path: &Path, why: &str) -> Error {
    let message = format!("the checkpoint is damaged: {why}; take another folder, or remove this one to begin anew");
    Error::data(Place::of(path.display().to_string()), message)
}

/// FNV-1a over words of 64 bits.
fn checksum(bytes: &[u8]) -> String {
    let (words, rest) = bytes.as_chunks::<8>();
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
    let hash = words.iter().fold(0xcbf2_9ce4_8422_2325, |hash, word| step(hash, u64::from_le_bytes(*word)));
    let hash = rest.iter().fold(hash, |hash, byte| step(hash, u64::from(*byte)));
    format!("{:016x}", step(hash, bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_their_order_count_in_a_checksum() {
        let bytes: Vec<u8> = (0..=40).collect();
        let sum = checksum(&bytes);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(checksum(&other), sum, "byte {at}");
        }
        let mut swapped = bytes.clone();
        swapped.swap(3, 17);
        assert_ne!(checksum(&swapped), sum);
        assert_ne!(checksum(&bytes[..40]), sum);
        assert_ne!(checksum(&[0; 8]), checksum(&[0; 16]));
    }
}
