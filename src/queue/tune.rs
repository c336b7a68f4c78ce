//! Which of several shaders for the same thing is the fastest on a device: tried on the rows themselves, and kept in a file
//! of the user's cache folder, so that the next run begins with it.

use super::device::OnDevice;
use super::pace::FIRST;
use super::session::{Device, Session};
use super::shader::Shader;
use crate::Result;
use crate::backend::DeviceInfo;
use crate::backend::gpu::{GpuDevice, View};
use etcetera::BaseStrategy;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file: a line for each key, in hexadecimal, with the number of the shader. The newest come last.
const FILE: &str = "shaders.txt";

/// Choices that are kept.
const KEPT: usize = 1000;

/// A trial takes about so long: many times what it takes to begin and to end.
const TRIAL: Duration = Duration::from_millis(5);

/// Another shader is taken only if it takes less than this part of the time: measurements are not exact.
const FASTER: f64 = 0.97;

/// Whether shaders are tried, and where choices are kept.
pub(crate) struct Tuning {
    is_on: bool,
    folder: Option<PathBuf>,
}

impl Tuning {
    /// Keeps choices in a folder; by default in that of the user for such things.
    pub(crate) fn new(is_on: bool, folder: Option<PathBuf>) -> Self {
        let default = || Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("superstep"));
        Self { is_on, folder: folder.or_else(default) }
    }

    /// The number of the shader that is known to be the fastest of `count`, or to be taken without a trial.
    pub(super) fn choice(&self, key: u64, count: usize) -> Option<usize> {
        if count <= 1 || !self.is_on {
            return Some(0);
        }
        let file = std::fs::read_to_string(self.folder.as_ref()?.join(FILE)).ok()?;
        file.lines().filter_map(read).find(|(of, choice)| *of == key && *choice < count).map(|(_, choice)| choice)
    }

    /// Keeps a choice for later runs. Where that fails they try again: nothing depends on it.
    fn keep(&self, key: u64, choice: usize) {
        if let Some(folder) = &self.folder {
            let _ = add(folder, key, choice);
        }
    }
}

fn read(line: &str) -> Option<(u64, usize)> {
    let (key, choice) = line.split_once(' ')?;
    Some((u64::from_str_radix(key, 16).ok()?, choice.parse().ok()?))
}

/// Adds a line to the file, which is there as a whole at any time.
fn add(folder: &Path, key: u64, choice: usize) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(FILE);
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let others: Vec<&str> = before.lines().filter(|line| read(line).is_some_and(|(of, _)| of != key)).collect();
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    for line in &others[others.len().saturating_sub(KEPT - 1)..] {
        writeln!(file, "{line}")?;
    }
    writeln!(file, "{key:016x} {choice}")?;
    file.persist(path)?;
    Ok(())
}

/// What a choice depends on: the device, its driver, and all shaders with their constants.
pub(super) fn key(info: &DeviceInfo, shader: &Shader) -> u64 {
    let mut hash = Fnv::new();
    hash.add_device(info);
    for pass in shader.variants().flat_map(Shader::all_passes) {
        hash.add(pass.source.as_bytes());
        hash.add(pass.entry.as_deref().unwrap_or_default().as_bytes());
        for (name, value) in &pass.constants {
            hash.add(name.as_bytes());
            hash.add(&value.to_bits().to_le_bytes());
        }
    }
    hash.0
}

/// Speeds are kept in steps of a factor of √2, so that measuring again mostly tells the same.
const STEPS: usize = 64;

impl Session {
    /// How many rows each device is to get, as against the others: by how many operations a second it does.
    pub(super) fn weights(&self, devices: &[Device]) -> Result<Vec<u64>> {
        if !self.tuning().is_on || devices.windows(2).all(|pair| pair[0].info() == pair[1].info()) {
            return Ok(vec![1; devices.len()]);
        }
        let of = |device: &Device| {
            let mut hash = Fnv::new();
            hash.add(b"operations a second");
            hash.add_device(device.info());
            if let Some(step) = self.tuning().choice(hash.0, STEPS) {
                return Ok(weight(step));
            }
            let operations = self.ceilings_of(device)?.operations_per_second;
            let step = (2.0 * (operations / 1e8).max(1.0).log2()).round().min((STEPS - 1) as f64) as usize;
            self.tuning().keep(hash.0, step);
            Ok(weight(step))
        };
        devices.iter().map(of).collect()
    }
}

fn weight(step: usize) -> u64 {
    (16.0 * 2f64.powf(step as f64 / 2.0)) as u64
}

/// FNV-1a, 64 bits: a hash that stays the same from build to build.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add_device(&mut self, info: &DeviceInfo) {
        [&info.name, &info.driver, &info.interface].into_iter().for_each(|text| self.add(text.as_bytes()));
    }

    fn add(&mut self, bytes: &[u8]) {
        // A byte that no text has keeps neighbours apart.
        for &byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Tries all shaders of an item, each on rows of its own, and settles on the fastest. Returns how many rows have been taken
/// so, of all there are and at most `most` at once: none where there are too few to tell. `record(variant, first, rows)`
/// records one; one that cannot be compiled on this device is passed over.
pub(super) fn try_out(
    ready: &OnDevice,
    tuning: &Tuning,
    (all, most): (u64, u64),
    gpu: &GpuDevice,
    mut record: impl FnMut(usize, u64, u64) -> Result<()>,
) -> Result<u64> {
    let count = ready.count() as u64;
    let mut done = 0;
    let mut rows = FIRST;
    let enough = |done: u64, rows: u64| all >= done + rows + count * (FIRST + rows);
    if !enough(2 * FIRST, FIRST) {
        return Ok(0);
    }
    gpu.submit()?;
    gpu.wait()?;
    let mut time = |variant: usize, rows: u64, done: &mut u64| -> Result<Duration> {
        let clock = Instant::now();
        record(variant, *done, rows)?;
        gpu.submit()?;
        gpu.wait()?;
        *done += rows;
        Ok(clock.elapsed())
    };
    // What the driver has left to compile is done in a first run.
    time(0, FIRST, &mut done)?;
    while time(0, rows, &mut done)? < TRIAL && enough(done, 4 * rows) && 4 * rows <= most {
        rows *= 4;
    }
    debug_assert!(rows.is_multiple_of(View::ALIGNMENT), "slices begin where views may");
    let mut best = (0, f64::INFINITY);
    for variant in 0..ready.count() {
        if ready.is_possible(variant, gpu) {
            time(variant, FIRST, &mut done)?;
            let taken = time(variant, rows, &mut done)?.as_secs_f64();
            if taken < FASTER * best.1 {
                best = (variant, taken);
            }
        }
    }
    ready.settle(best.0);
    tuning.keep(ready.key(), best.0);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_found_again_and_the_oldest_forgotten() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let tuning = Tuning::new(true, Some(folder.path().join("not/yet/there")));
        assert_eq!(tuning.choice(7, 3), None);
        for key in 0..KEPT as u64 + 10 {
            tuning.keep(key, (key % 3) as usize);
        }
        tuning.keep(7, 1);
        tuning.keep(1000, 0);
        assert_eq!((tuning.choice(7, 3), tuning.choice(1000, 3), tuning.choice(5, 3)), (Some(1), Some(0), None));
        assert_eq!(tuning.choice(7, 1), Some(0), "there is nothing to choose");
        // A file that says nonsense says nothing.
        std::fs::write(folder.path().join("not/yet/there").join(FILE), "7 9\nzz 1\n\n7\n")?;
        assert_eq!(tuning.choice(7, 3), None);
        assert_eq!(Tuning::new(false, Some(folder.path().into())).choice(7, 3), Some(0));
        Ok(())
    }
}
