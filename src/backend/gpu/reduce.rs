//! Merging the parts of an object that lie on one device. The kernel is `shaders/reduce.wgsl`.

use super::buffer::DeviceBuffer;
use super::device::GpuDevice;
use super::kernel::KernelSpec;
use crate::backend::{Element, ReduceOp};
use crate::{Error, Result};

const SOURCE: &str = include_str!("../../../shaders/reduce.wgsl");
/// Threads of a workgroup where the device allows: each owns one element, so this only has to fill the machine.
const WORKGROUP: u32 = 256;

impl GpuDevice {
    /// Records `into[i] = parts[0][i] ∘ parts[1][i] ∘ …` for the first `length` elements, in the order of the parts, so
    /// that the result has the same bits every time. The rest of `into` stays. `into` may be `parts[0]` itself.
    ///
    /// Sums are taken in the element's own type: `f32` rounds after each part, integers wrap around. 64-bit integers are
    /// pairs of `u32`, low word first. Where an element is not a number the largest and smallest keep the part that
    /// came first.
    ///
    /// # Errors
    /// [`Error::Wiring`] if there are no parts, if a part or `into` holds fewer elements, or if `into` is also a later
    /// part; [`Error::Parameter`] for `f64`, which no device has.
    pub fn reduce(
        &self,
        op: ReduceOp,
        element: Element,
        parts: &[&DeviceBuffer],
        length: u64,
        into: &DeviceBuffer,
    ) -> Result<()> {
        let entry = entry(element)?;
        let Some((first, rest)) = parts.split_first() else {
            return Err(Error::wiring("reduce", into.label(), "there are no parts to merge into it"));
        };
        let short = |_| Error::wiring("reduce", into.label(), format!("{length} elements exceed any buffer"));
        let bytes = length.checked_mul(element.size() as u64).ok_or(u64::MAX).map_err(short)?;
        for buffer in parts.iter().copied().chain([into]) {
            if buffer.len() < bytes {
                let message = format!("it has {} bytes, {length} elements of {element:?} need {bytes}", buffer.len());
                return Err(Error::wiring("reduce", buffer.label(), message));
            }
        }
        if rest.iter().any(|part| part.id() == into.id()) {
            return Err(Error::wiring("reduce", into.label(), "it is a later part of its own sum"));
        }
        self.copy_prefix(first, into, bytes)?;
        if bytes == 0 || rest.is_empty() {
            return Ok(());
        }
        let workgroup = WORKGROUP.min(self.limits().max_invocations);
        let constants = [("OP".to_owned(), f64::from(code(op))), ("WORKGROUP".to_owned(), f64::from(workgroup))];
        let spec = KernelSpec { label: "reduce", source: SOURCE, entry: Some(entry), constants: &constants };
        let kernel = self.compile(&spec)?;
        let workgroups = length.div_ceil(u64::from(workgroup));
        rest.iter().try_for_each(|part| self.dispatch_prefix(&kernel, [into, part], bytes, workgroups))
    }
}

fn entry(element: Element) -> Result<&'static str> {
    match element {
        Element::F32 => Ok("reduce_f32"),
        Element::I32 => Ok("reduce_i32"),
        Element::U32 => Ok("reduce_u32"),
        Element::I64 => Ok("reduce_i64"),
        Element::U64 => Ok("reduce_u64"),
        Element::F64 => Err(Error::parameter("element", "no device merges f64: keep the object on the host")),
    }
}

fn code(op: ReduceOp) -> u32 {
    match op {
        ReduceOp::Sum => 0,
        ReduceOp::Max => 1,
        ReduceOp::Min => 2,
    }
}
