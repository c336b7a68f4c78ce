//! The checks before round 1: every name, type, shape and WGSL variable of every item.

use super::communicate::Communicate;
use super::declare::{Objects, Rule};
use super::item::ComputeFunction;
use super::key::{Declared, Kind};
use super::object::Shape;
use super::shader::Shader;
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// An item as it was added.
pub(crate) enum Item<'a> {
    Compute(Box<dyn ComputeFunction + 'a>),
    Communicate(Box<dyn Communicate + 'a>),
}

/// A compute item after the checks.
pub(crate) struct Planned<'q> {
    pub(crate) name: Arc<str>,
    pub(crate) objects: Arc<Objects>,
    pub(crate) function: &'q dyn ComputeFunction,
    pub(crate) shader: Option<Shader>,
}

/// What runs between two synchronisations, or a synchronisation.
pub(crate) enum Step<'q> {
    /// Compute items in a chain: nothing is exchanged between them.
    Chain(Vec<Planned<'q>>),
    Communicate(&'q dyn Communicate),
}

/// An object that is there when an item runs.
struct Known {
    kind: Kind,
    shape: Option<Shape>,
    /// The columns of partitioned rows.
    columns: Option<usize>,
    by: String,
}

/// What the queue was given before its items.
#[derive(Default)]
pub(crate) struct Provided {
    known: HashMap<&'static str, Known>,
}

impl Provided {
    pub(crate) fn rows(&mut self, declared: Declared, columns: usize) -> Result<()> {
        let by = "init_with_partitioned_data".to_owned();
        self.insert(declared, Known { kind: declared.kind, shape: None, columns: Some(columns), by })
    }

    pub(crate) fn broadcast(&mut self, declared: Declared, shape: Option<Shape>) -> Result<()> {
        let by = "init_with_broadcast_data".to_owned();
        self.insert(declared, Known { kind: declared.kind, shape, columns: None, by })
    }

    fn insert(&mut self, declared: Declared, known: Known) -> Result<()> {
        let by = known.by.clone();
        match self.known.insert(declared.name, known) {
            None => Ok(()),
            Some(before) => {
                Err(Error::wiring(by, declared.name, format!("it was already given by {}: give it once", before.by)))
            }
        }
    }
}

/// Checks all items in their order and chains those between two communications.
pub(crate) fn plan<'q>(items: &'q [Item<'_>], mut provided: Provided) -> Result<Vec<Step<'q>>> {
    let mut steps: Vec<Step<'q>> = Vec::new();
    for item in items {
        match item {
            Item::Compute(function) => {
                let planned = plan_item(&**function, &mut provided)?;
                match steps.last_mut() {
                    Some(Step::Chain(chain)) => chain.push(planned),
                    _ => steps.push(Step::Chain(vec![planned])),
                }
            }
            Item::Communicate(communicate) => {
                check_objects(&communicate.name(), &communicate.objects(), &mut provided, true)?;
                steps.push(Step::Communicate(&**communicate));
            }
        }
    }
    Ok(steps)
}

fn plan_item<'q>(function: &'q dyn ComputeFunction, provided: &mut Provided) -> Result<Planned<'q>> {
    let name: Arc<str> = function.name().into();
    let objects = function.objects();
    check_objects(&name, &objects, provided, false)?;
    let shader = function.shader();
    #[cfg(feature = "gpu")]
    if let Some(shader) = &shader {
        check_written_shapes(&name, &objects, provided)?;
        super::bindings::check(&name, &objects, shader)?;
    }
    Ok(Planned { name, objects: Arc::new(objects), function, shader })
}

/// Names and types: what is read must be there, what is written becomes known.
fn check_objects(item: &str, objects: &Objects, provided: &mut Provided, communication: bool) -> Result<()> {
    for declared in objects.all() {
        let Some(known) = provided.known.get(declared.name) else { continue };
        if known.kind != declared.kind {
            let (here, there) = (declared.kind.describe(), known.kind.describe());
            let message = format!("it is {here} here, but {} made it {there}", known.by);
            return Err(Error::wiring(item, declared.name, message));
        }
    }
    let missing = |declared: &&Declared| !provided.known.contains_key(declared.name);
    let needed = objects.reads.iter().chain(if communication { &objects.updates[..] } else { &[] });
    let needed = needed.filter(|declared| communication || !objects.may_write(declared.name));
    if let Some(declared) = needed.clone().find(missing) {
        let message = "nobody provides it: no init_with_… gives it and no item before this one writes it";
        return Err(Error::wiring(item, declared.name, message));
    }
    if let Some(rows) = objects.written().find(|declared| declared.kind == Kind::Rows) {
        return Err(Error::wiring(item, rows.name, "partitioned rows are constant: no item can write them"));
    }
    check_shapes(item, objects, provided)?;
    for declared in objects.written() {
        let shape = objects.shape_rule(declared.name).and_then(|rule| provided.resolve(rule));
        let known = provided.known.entry(declared.name).or_insert_with(|| Known {
            kind: declared.kind,
            shape: None,
            columns: None,
            by: format!("item `{item}`"),
        });
        known.shape = shape.or(known.shape.take());
    }
    Ok(())
}

/// Shapes that are already known must be those the item asks for.
fn check_shapes(item: &str, objects: &Objects, provided: &Provided) -> Result<()> {
    for (name, rule) in &objects.shapes {
        if !objects.names(name) {
            return Err(Error::wiring(item, *name, "a shape is given for an object that the item does not declare"));
        }
        let Some(known) = provided.known.get(name) else { continue };
        if let (Kind::Rows, Some(columns), Rule::Fixed(shape)) = (known.kind, known.columns, &rule.0) {
            let (_, wanted) = shape.rows_and_columns();
            if wanted != columns {
                let message = format!("the item needs rows of {wanted} columns, {} gave {columns}", known.by);
                return Err(Error::wiring(item, *name, message));
            }
            continue;
        }
        if let (Some(wanted), Some(found)) = (provided.resolve(rule), &known.shape)
            && wanted != *found
        {
            let message = format!("the item needs {wanted}, {} made it {found}", known.by);
            return Err(Error::wiring(item, *name, message));
        }
    }
    Ok(())
}

/// A device must know how much memory to set aside for what WGSL writes.
#[cfg(feature = "gpu")]
fn check_written_shapes(item: &str, objects: &Objects, provided: &Provided) -> Result<()> {
    let shapeless = objects.written().find(|declared| {
        let known = provided.known.get(declared.name).is_some_and(|known| known.shape.is_some());
        !known && objects.shape_rule(declared.name).is_none()
    });
    shapeless.map_or(Ok(()), |declared| {
        let message = "WGSL writes it, but its shape is not known: add `.shape(KEY, …)` to the item's objects";
        Err(Error::wiring(item, declared.name, message))
    })
}

impl Provided {
    /// The shape a rule stands for, as far as it is known before the data are cut into partitions.
    fn resolve(&self, rule: &super::declare::ShapeRule) -> Option<Shape> {
        match &rule.0 {
            Rule::Fixed(shape) => Some(shape.clone()),
            Rule::Like(name) => self.known.get(name).and_then(|known| known.shape.clone()),
            Rule::RowsOf(..) => None,
        }
    }
}
