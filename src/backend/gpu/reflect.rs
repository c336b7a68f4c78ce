//! What a shader wants, read from its WGSL by naga, without any device.

use super::fence::lock;
use super::kernel::{Identity, KernelSpec};
use crate::Result;
use naga::back::pipeline_constants::process_overrides;
use naga::proc::{GlobalCtx, Layouter};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, ArraySize, Handle, Module, ScalarKind, ShaderStage, StorageAccess, Type, TypeInner};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

/// The outside of a kernel: what must be bound, and how many threads a workgroup has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The variables that the entry point uses, by itself or through the functions it calls, in the order of their
    /// declaration. Those that it does not use are left out.
    pub bindings: Vec<Binding>,
    /// Threads along x, y and z, with the overridable constants put in.
    pub workgroup_size: [u32; 3],
    /// Workgroup memory, in bytes, of the variables that the entry point uses.
    pub workgroup_bytes: u64,
}

/// A variable of a kernel that a buffer is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name, by which it is matched.
    pub name: String,
    /// Its `@group`.
    pub group: u32,
    /// Its `@binding`.
    pub index: u32,
    /// How the kernel accesses it.
    pub space: Space,
    /// What its elements are made of; `None` for structures and for types other than the three.
    pub scalar: Option<Scalar>,
    /// Whether some of it is atomic.
    pub atomic: bool,
    /// Bytes from one element of an array to the next; of a variable that is no array, its size.
    pub element_bytes: u32,
    /// The size in bytes; `None` where it is the bound buffer's (an array without a length, or a structure ending in one).
    pub fixed_bytes: Option<u64>,
}

/// How a kernel accesses a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// `var<storage, read>`.
    StorageRead,
    /// `var<storage, read_write>`.
    StorageReadWrite,
    /// `var<uniform>`.
    Uniform,
}

/// What the elements of a variable are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// `f32`.
    F32,
    /// `i32`.
    I32,
    /// `u32`.
    U32,
}

/// Reads what a shader wants.
///
/// # Errors
/// [`Error::Shader`](crate::Error::Shader) with line and column if the WGSL does not compile, if it has no such entry point (or several, and
/// none is named), if a constant is unknown, or if a variable is no buffer.
pub fn reflect(spec: &KernelSpec) -> Result<Interface> {
    let identity = spec.identity();
    if let Some(interface) = lock(&KNOWN).get(&identity) {
        return Ok(interface.clone());
    }
    let interface = parse(spec)?;
    let mut known = lock(&KNOWN);
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    known.insert(identity, interface.clone());
    Ok(interface)
}

/// What was found before: an iteration that starts many times checks the same shaders each time.
static KNOWN: LazyLock<Mutex<HashMap<Identity, Interface>>> = LazyLock::new(Mutex::default);
const MOST_KNOWN: usize = 256;

fn parse(spec: &KernelSpec) -> Result<Interface> {
    let mut options = naga::front::wgsl::Options::new();
    options.capabilities = Capabilities::all();
    let module = naga::front::wgsl::Frontend::new_with_options(options)
        .parse(spec.source)
        .map_err(|error| spec.error(error.emit_to_string_with_path(spec.source, spec.label)))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|error| spec.error(error.emit_to_string_with_path(spec.source, spec.label)))?;
    let entry = entry_point(spec, &module)?;
    check_constants(spec, &module)?;
    let constants = spec.constants.iter().cloned().collect();
    let (module, info) = process_overrides(&module, &info, Some((ShaderStage::Compute, &entry)), &constants)
        .map_err(|error| spec.error(error.to_string()))?;
    let index = module.entry_points.iter().position(|point| point.name == entry);
    let index =
        index.ok_or_else(|| spec.error(format!("entry point `{entry}` is gone after its constants were put in")))?;
    let (point, used) = (&module.entry_points[index], info.get_entry_point(index));
    let mut layouter = Layouter::default();
    layouter.update(module.to_ctx()).map_err(|error| spec.error(error.to_string()))?;
    let variables = module.global_variables.iter().filter(|(variable, _)| !used[*variable].is_empty());
    let variables: Vec<&naga::GlobalVariable> = variables.map(|(_, variable)| variable).collect();
    let bound = variables.iter().filter_map(|variable| Some((*variable, variable.binding?)));
    let bindings =
        bound.map(|(variable, at)| binding(spec, &module, &layouter, variable, at)).collect::<Result<_>>()?;
    let workgroup = variables.iter().filter(|variable| variable.space == AddressSpace::WorkGroup);
    let workgroup_bytes = workgroup.map(|variable| u64::from(layouter[variable.ty].size)).sum();
    Ok(Interface { bindings, workgroup_size: point.workgroup_size, workgroup_bytes })
}

fn entry_point(spec: &KernelSpec, module: &Module) -> Result<String> {
    let points = module.entry_points.iter().filter(|point| point.stage == ShaderStage::Compute);
    let names: Vec<&str> = points.map(|point| point.name.as_str()).collect();
    match (spec.entry, names.as_slice()) {
        (Some(entry), names) if names.contains(&entry) => Ok(entry.to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (_, []) => Err(spec.error("there is no compute entry point".into())),
        (Some(entry), names) => Err(spec.error(format!("there is no entry point `{entry}`, but {}", names.join(", ")))),
        (None, names) => Err(spec.error(format!("name one of the entry points {}", names.join(", ")))),
    }
}

fn check_constants(spec: &KernelSpec, module: &Module) -> Result<()> {
    // A constant is known by its `@id` where it has one, by its name otherwise.
    let keys = module.overrides.iter().map(|(_, constant)| match constant.id {
        Some(id) => id.to_string(),
        None => constant.name.clone().unwrap_or_default(),
    });
    let keys: Vec<String> = keys.collect();
    match spec.constants.iter().find(|(name, _)| !keys.contains(name)) {
        None => Ok(()),
        Some((name, _)) if keys.is_empty() => Err(spec.error(format!("there is no constant `{name}`, nor any other"))),
        Some((name, _)) => Err(spec.error(format!("there is no constant `{name}`, but {}", keys.join(", ")))),
    }
}

fn binding(
    spec: &KernelSpec,
    module: &Module,
    layouter: &Layouter,
    variable: &naga::GlobalVariable,
    at: naga::ResourceBinding,
) -> Result<Binding> {
    let name = variable.name.clone().unwrap_or_default();
    let space = match variable.space {
        AddressSpace::Uniform => Space::Uniform,
        AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => Space::StorageReadWrite,
        AddressSpace::Storage { .. } => Space::StorageRead,
        _ => return Err(spec.error(format!("variable `{name}` is no buffer: only storage and uniform can be bound"))),
    };
    let size = layouter[variable.ty].size;
    let element_bytes = match module.types[variable.ty].inner {
        TypeInner::Array { stride, .. } => stride,
        _ => size,
    };
    let fixed_bytes = (!is_unsized(module.to_ctx(), variable.ty)).then_some(u64::from(size));
    Ok(Binding {
        name,
        group: at.group,
        index: at.binding,
        space,
        scalar: scalar(module, variable.ty),
        atomic: is_atomic(module, variable.ty),
        element_bytes,
        fixed_bytes,
    })
}

fn is_unsized(module: GlobalCtx, ty: Handle<Type>) -> bool {
    match &module.types[ty].inner {
        TypeInner::Array { size, .. } => *size == ArraySize::Dynamic,
        TypeInner::Struct { members, .. } => members.last().is_some_and(|last| is_unsized(module, last.ty)),
        _ => false,
    }
}

fn scalar(module: &Module, ty: Handle<Type>) -> Option<Scalar> {
    let scalar = match module.types[ty].inner {
        TypeInner::Array { base, .. } => return self::scalar(module, base),
        TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => scalar,
        TypeInner::Vector { scalar, .. } | TypeInner::Matrix { scalar, .. } => scalar,
        _ => return None,
    };
    match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 4) => Some(Scalar::F32),
        (ScalarKind::Sint, 4) => Some(Scalar::I32),
        (ScalarKind::Uint, 4) => Some(Scalar::U32),
        _ => None,
    }
}

fn is_atomic(module: &Module, ty: Handle<Type>) -> bool {
    match &module.types[ty].inner {
        TypeInner::Atomic(_) => true,
        TypeInner::Array { base, .. } => is_atomic(module, *base),
        TypeInner::Struct { members, .. } => members.iter().any(|member| is_atomic(module, member.ty)),
        _ => false,
    }
}
