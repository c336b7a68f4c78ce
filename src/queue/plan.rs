//! The checks before round 1: every name, type, shape and WGSL variable of every item.

use super::body::{Body, Item, Nested};
use super::communicate::Communicate;
use super::declare::{Objects, Rule, ShapeRule};
use super::item::ComputeFunction;
use super::key::{Declared, Kind, Lifetime};
use super::object::Shape;
use super::shader::Shader;
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// A compute item after the checks.
pub(crate) struct Planned<'q> {
    /// Tells it from the others of the whole queue.
    #[cfg_attr(not(feature = "gpu"), expect(dead_code, reason = "what a device keeps for an item is kept under it"))]
    pub(crate) number: usize,
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
    Nested(&'q Nested<'q>, PlannedBody<'q>),
}

/// The steps of an iteration, and which objects are its own.
pub(crate) struct PlannedBody<'q> {
    pub(crate) body: &'q Body<'q>,
    pub(crate) steps: Vec<Step<'q>>,
    pub(crate) scope: Scope,
}

/// Whose objects are: an object belongs to the queue that provides it first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The objects of this iteration.
    pub(crate) own: Vec<(&'static str, Lifetime)>,
    /// The objects of the iterations around it that it writes, and whether it changes them in place.
    pub(crate) outer: Vec<(&'static str, bool)>,
}

/// An object that is there when an item runs.
struct Known {
    kind: Kind,
    lifetime: Lifetime,
    shape: Option<Shape>,
    /// The columns of partitioned rows.
    columns: Option<usize>,
    by: String,
    /// The iteration that it belongs to.
    scope: usize,
}

/// What is there at some point of the queue.
#[derive(Default)]
pub(crate) struct Provided {
    known: HashMap<&'static str, Known>,
    /// The iterations that are being planned, the outermost first, by their numbers.
    open: Vec<usize>,
    /// How many iterations, and how many items, there are so far.
    scopes: usize,
    items: usize,
    /// What was written in each of the iterations that are being planned, and whether in place.
    written: Vec<Vec<(&'static str, bool)>>,
}

impl Provided {
    pub(crate) fn rows(&mut self, declared: Declared, columns: Option<usize>, by: &str) -> Result<()> {
        self.insert(declared, None, columns, by.to_owned())
    }

    pub(crate) fn broadcast(&mut self, declared: Declared, shape: Option<Shape>) -> Result<()> {
        let by = "init_with_broadcast_data".to_owned();
        self.insert(declared, shape, None, by)
    }

    fn insert(&mut self, given: Declared, shape: Option<Shape>, columns: Option<usize>, by: String) -> Result<()> {
        // What a queue inside has left may be given anew by the next one.
        if let Some(before) = self.known.get(given.name).filter(|before| self.open.contains(&before.scope)) {
            let message = format!("it was already given by {}: give it once", before.by);
            return Err(Error::wiring(by, given.name, message));
        }
        check_same(&by, &given, self)?;
        let scope = self.scope();
        let known = Known { kind: given.kind, lifetime: given.lifetime, shape, columns, by, scope };
        self.known.insert(given.name, known);
        Ok(())
    }
}

/// Checks a whole queue: its items and those of the queues inside in their order. It chains those between two communications,
/// and checks the outputs. `rows` are those that come in batches, with
/// their columns where they are known.
pub(crate) fn plan<'q>(body: &'q Body<'q>, rows: &[(Declared, Option<usize>)]) -> Result<PlannedBody<'q>> {
    let mut provided = Provided::default();
    provided.enter();
    rows.iter().try_for_each(|(declared, columns)| provided.rows(*declared, *columns, "init_with_unbounded_data"))?;
    let mut planned = plan_body(body, &mut provided)?;
    provided.leave(&mut planned.scope);
    Ok(planned)
}

/// Plans an iteration whose scope is open.
fn plan_body<'q>(body: &'q Body<'q>, provided: &mut Provided) -> Result<PlannedBody<'q>> {
    for (declared, source) in &body.partitioned {
        provided.rows(*declared, Some(source.columns()), "init_with_partitioned_data")?;
    }
    for (declared, value) in &body.broadcast {
        provided.broadcast(*declared, value.object.shape())?;
    }
    let mut steps: Vec<Step<'q>> = Vec::new();
    for item in &body.items {
        match item {
            Item::Compute(function) => {
                let planned = plan_item(&**function, provided)?;
                match steps.last_mut() {
                    Some(Step::Chain(chain)) => chain.push(planned),
                    _ => steps.push(Step::Chain(vec![planned])),
                }
            }
            Item::Communicate(communicate) => {
                let (name, objects) = (communicate.name(), communicate.objects());
                check_objects(&name, &objects, provided, true)?;
                provided.written(&name, &objects, false, false);
                steps.push(Step::Communicate(&**communicate));
            }
            Item::Nested(nested) => steps.push(Step::Nested(nested, plan_nested(nested, provided)?)),
        }
    }
    let outputs = body.outputs.iter().map(|output| ("output", &output.of));
    let feedback = body.feedback.iter().map(|of| ("feedback", of));
    outputs.chain(feedback).try_for_each(|(what, of)| {
        check_same(what, of, provided)?;
        if provided.known.contains_key(of.name) { Ok(()) } else { Err(nobody(what, of)) }
    })?;
    Ok(PlannedBody { body, steps, scope: Scope::default() })
}

fn plan_nested<'q>(nested: &'q Nested<'q>, provided: &mut Provided) -> Result<PlannedBody<'q>> {
    let body = &nested.body;
    let refuse = |message: String| Err(Error::wiring(body.name, "(queue)", message));
    if let Some(what) = nested.misplaced {
        return refuse(format!("{what} is for the outermost queue: give it there"));
    }
    if body.items.is_empty() {
        return refuse("a queue inside another has no items: it would compute nothing".into());
    }
    body.check_end(false)?;
    provided.enter();
    let mut planned = plan_body(body, provided)?;
    provided.leave(&mut planned.scope);
    Ok(planned)
}

fn plan_item<'q>(function: &'q (dyn ComputeFunction + 'q), provided: &mut Provided) -> Result<Planned<'q>> {
    let name: Arc<str> = function.name().into();
    let objects = function.objects();
    check_objects(&name, &objects, provided, false)?;
    let shader = function.shader();
    #[cfg(feature = "gpu")]
    if let Some(shader) = &shader {
        check_written_shapes(&name, &objects, provided)?;
        super::bindings::check(&name, &objects, shader)?;
    }
    provided.written(&name, &objects, shader.is_some(), true);
    provided.items += 1;
    Ok(Planned { number: provided.items, name, objects: Arc::new(objects), function, shader })
}

/// Names, types and shapes: what is read must be there, and be what the item says it is.
fn check_objects(item: &str, objects: &Objects, provided: &Provided, communication: bool) -> Result<()> {
    objects.all().try_for_each(|declared| check_same(item, declared, provided))?;
    let missing = |declared: &&Declared| !provided.known.contains_key(declared.name);
    let needed = objects.reads.iter().chain(if communication { &objects.updates[..] } else { &[] });
    let mut needed = needed.filter(|declared| communication || !objects.may_write(declared.name));
    if let Some(declared) = needed.find(missing) {
        return Err(nobody(item, declared));
    }
    if let Some(rows) = objects.written().find(|declared| declared.kind == Kind::Rows) {
        return Err(Error::wiring(item, rows.name, "partitioned rows are constant: no item can write them"));
    }
    if let Some((scratch, known)) =
        objects.scratch.iter().find_map(|scratch| Some((scratch, provided.known.get(scratch.name)?)))
    {
        let message = format!("it is scratch here, but {} made an object of this name", known.by);
        return Err(Error::wiring(item, scratch.name, message));
    }
    check_shapes(item, objects, provided)
}

fn nobody(item: &str, declared: &Declared) -> Error {
    let message = "nobody provides it: no init_with_… gives it and no item before this one writes it";
    Error::wiring(item, declared.name, message)
}

/// One name stands for one type and one lifetime in the whole queue.
fn check_same(item: &str, declared: &Declared, provided: &Provided) -> Result<()> {
    let Some(known) = provided.known.get(declared.name) else { return Ok(()) };
    if known.kind != declared.kind {
        let (here, there) = (declared.kind.describe(), known.kind.describe());
        let message = format!("it is {here} here, but {} made it {there}", known.by);
        return Err(Error::wiring(item, declared.name, message));
    }
    if known.lifetime != declared.lifetime {
        let lives = |lifetime| match lifetime {
            Lifetime::AllRounds => "for all rounds",
            Lifetime::PerRound => "for one round",
        };
        let (here, there) = (lives(declared.lifetime), lives(known.lifetime));
        let message = format!("its key lives {here} here, but {there} in {}: use one key", known.by);
        return Err(Error::wiring(item, declared.name, message));
    }
    Ok(())
}

/// Shapes that are already known must be those the item asks for; what it puts anew may have any.
fn check_shapes(item: &str, objects: &Objects, provided: &Provided) -> Result<()> {
    for (name, rule) in &objects.shapes {
        if !objects.names(name) {
            return Err(Error::wiring(item, *name, "a shape is given for an object that the item does not declare"));
        }
        // What another iteration has left behind is no value of an object that this one writes.
        let is_fresh = |known: &Known| objects.may_write(name) && !provided.open.contains(&known.scope);
        let known = provided.known.get(name).filter(|known| !objects.puts_anew(name) && !is_fresh(known));
        let Some(known) = known else { continue };
        if let (Some(columns), Some(wanted)) = (known.columns, provided.columns(rule)) {
            if wanted != columns {
                let message = format!("the item needs rows of {wanted} columns, {} gave {columns}", known.by);
                return Err(Error::wiring(item, *name, message));
            }
        } else if let (Some(wanted), Some(found)) = (provided.resolve(rule), &known.shape)
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
    fn enter(&mut self) {
        self.open.push(self.scopes);
        self.scopes += 1;
        self.written.push(Vec::new());
    }

    /// Ends the innermost iteration: what it provided first was its own.
    fn leave(&mut self, into: &mut Scope) {
        let (Some(ended), Some(written)) = (self.open.pop(), self.written.pop()) else { return };
        let mut own: Vec<_> = self.known.iter().filter(|(_, known)| known.scope == ended).collect();
        own.sort_by_key(|(name, _)| **name);
        into.own = own.into_iter().map(|(name, known)| (*name, known.lifetime)).collect();
        for (name, in_place) in written {
            let is_outer = self.known.get(name).is_some_and(|known| self.open.contains(&known.scope));
            if !is_outer {
                continue;
            }
            match into.outer.iter_mut().find(|(other, _)| *other == name) {
                Some((_, changed)) => *changed |= in_place,
                None => into.outer.push((name, in_place)),
            }
            // What it writes, the iteration around it writes too.
            self.written.iter_mut().last().into_iter().for_each(|around| around.push((name, in_place)));
        }
    }

    fn scope(&self) -> usize {
        self.open.last().copied().unwrap_or_default()
    }

    /// Notes what an item writes. Only WGSL keeps the shape of what was there before, unless the item gives a rule.
    fn written(&mut self, item: &str, objects: &Objects, wgsl: bool, computes: bool) {
        for declared in objects.written() {
            let updated = objects.updates.iter().any(|update| update.name == declared.name);
            let before = self.known.remove(declared.name);
            let still_there = before.as_ref().map(|before| before.scope).filter(|scope| self.open.contains(scope));
            let before = before.filter(|_| still_there.is_some()).and_then(|known| known.shape);
            let shape = match objects.shape_rule(declared.name) {
                Some(rule) => self.resolve(rule),
                None => before.filter(|_| updated || wgsl),
            };
            let (by, scope) = (format!("item `{item}`"), still_there.unwrap_or(self.scope()));
            let known = Known { kind: declared.kind, lifetime: declared.lifetime, shape, columns: None, by, scope };
            self.known.insert(declared.name, known);
            let in_place = computes && updated;
            self.written.iter_mut().last().into_iter().for_each(|written| written.push((declared.name, in_place)));
        }
    }

    /// The columns that a rule for partitioned rows asks for.
    fn columns(&self, rule: &ShapeRule) -> Option<usize> {
        match &rule.0 {
            Rule::Fixed(shape) => Some(shape.rows_and_columns().1),
            Rule::Like(name) => self.known.get(name).and_then(|known| known.columns),
            Rule::RowsOf(_, columns) => Some(columns.unwrap_or(1)),
            Rule::Slice(_, columns, _) => Some(*columns),
        }
    }

    /// The shape a rule stands for, as far as it is known before the data are cut into partitions.
    fn resolve(&self, rule: &ShapeRule) -> Option<Shape> {
        match &rule.0 {
            Rule::Fixed(shape) => Some(shape.clone()),
            Rule::Like(name) => self.known.get(name).and_then(|known| known.shape.clone()),
            Rule::RowsOf(..) | Rule::Slice(..) => None,
        }
    }
}
