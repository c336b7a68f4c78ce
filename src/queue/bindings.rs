//! Matching the variables of WGSL with the objects of its item, by name.

use super::declare::Objects;
use super::key::Kind;
use super::shader::{Pass, Shader};
use crate::backend::Element;
use crate::backend::gpu::{self, Binding, KernelSpec, Scalar, Space};
use crate::{Error, Result};

/// The uniform that holds the round: eight `u32`.
pub(crate) const SUPERSTEP: &str = "superstep";
pub(crate) const SUPERSTEP_BYTES: u64 = 32;

/// The uniform that tells whether the round was begun before the one before it was looked at: see
/// [`IterativeComQueue::look_ahead`](super::IterativeComQueue::look_ahead).
pub(crate) const UNSEEN: &str = "unseen";

/// What a variable of WGSL is bound to.
pub(crate) enum Bound<'n> {
    /// The round, the task and its first row.
    Superstep,
    /// Whether the round looks ahead.
    Unseen,
    /// Rows and columns of an object.
    ShapeOf(&'n str),
    /// An object or partitioned rows.
    Object(&'n str),
}

pub(crate) fn bound(name: &str) -> Bound<'_> {
    match (name, name.strip_suffix("_shape")) {
        (SUPERSTEP, _) => Bound::Superstep,
        (UNSEEN, _) => Bound::Unseen,
        (_, Some(object)) => Bound::ShapeOf(object),
        _ => Bound::Object(name),
    }
}

pub(crate) fn spec<'p>(pass: &'p Pass) -> KernelSpec<'p> {
    KernelSpec { label: &pass.name, source: &pass.source, entry: pass.entry.as_deref(), constants: &pass.constants }
}

/// Checks every pass of an item's shader against what the item declares, without a device.
pub(crate) fn check(item: &str, objects: &Objects, shader: &Shader) -> Result<()> {
    shader.variants().try_for_each(|variant| check_passes(item, objects, shader.before().chain(&variant.passes)))
}

fn check_passes<'p>(item: &str, objects: &Objects, passes: impl Iterator<Item = &'p Pass>) -> Result<()> {
    let mut written = Vec::new();
    for pass in passes {
        let interface = gpu::reflect(&spec(pass)).map_err(|error| Error::Shader {
            item: item.to_owned(),
            shader: pass.name.to_string(),
            message: error.to_string(),
        })?;
        for binding in &interface.bindings {
            check_binding(item, objects, pass, binding)?;
            if binding.space == Space::StorageReadWrite {
                written.push(binding.name.clone());
            }
        }
    }
    let unwritten = objects.written().find(|declared| !written.iter().any(|name| name == declared.name));
    unwritten.map_or(Ok(()), |declared| {
        let message = "the item says it writes it, but no pass of its WGSL binds it as `var<storage, read_write>`";
        Err(Error::wiring(item, declared.name, message))
    })
}

fn check_binding(item: &str, objects: &Objects, pass: &Pass, binding: &Binding) -> Result<()> {
    let fail = |message: String| Err(Error::wiring(item, binding.name.as_str(), message));
    let name = match bound(&binding.name) {
        Bound::Superstep if binding.fixed_bytes == Some(SUPERSTEP_BYTES) => return Ok(()),
        Bound::Superstep => return fail(format!("`{SUPERSTEP}` must be a uniform of eight u32 in `{}`", pass.name)),
        Bound::Unseen if binding.space == Space::Uniform && binding.fixed_bytes == Some(4) => return Ok(()),
        Bound::Unseen => return fail(format!("`{UNSEEN}` must be a uniform u32 in `{}`", pass.name)),
        Bound::ShapeOf(object) if objects.names(object) => {
            let fits = binding.space == Space::Uniform && binding.fixed_bytes == Some(8);
            return if fits { Ok(()) } else { fail("a shape must be a uniform vec2<u32>".into()) };
        }
        Bound::ShapeOf(_) => binding.name.as_str(),
        Bound::Object(name) => name,
    };
    let Some(declared) = objects.all().find(|declared| declared.name == name) else {
        let names: Vec<&str> = objects.all().map(|declared| declared.name).collect();
        return fail(format!(
            "this variable of `{}` is no object that the item declares (it declares {})",
            pass.name,
            names.join(", ")
        ));
    };
    let scratch = objects.scratch.iter().any(|declared| declared.name == name);
    if binding.space == Space::StorageReadWrite && !scratch && !objects.may_write(name) {
        return fail(format!("`{}` may write it, but the item only declares that it reads it", pass.name));
    }
    let element = match declared.kind {
        // Words of packs: see `data::SparseRows`.
        Kind::Rows if binding.scalar == Some(Scalar::U32) => Some(Element::U32),
        Kind::Rows => Some(Element::F32),
        Kind::Object(object) => object.element,
    };
    match (element, binding.scalar) {
        (Some(Element::F32), Some(Scalar::F32))
        | (Some(Element::I32), Some(Scalar::I32))
        | (Some(Element::U32 | Element::I64 | Element::U64), Some(Scalar::U32)) => Ok(()),
        (Some(Element::F64), _) => fail("WGSL has no f64: keep this object on the host or make it f32".into()),
        (None, _) => fail(format!("{} cannot be held by a device: take an array", declared.kind.describe())),
        (Some(_), None) => Ok(()),
        (Some(element), Some(scalar)) => {
            fail(format!("the object's elements are {element:?}, `{}` reads them as {scalar:?}", pass.name))
        }
    }
}
