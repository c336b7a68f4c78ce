//! What one iteration is made of: that of a queue, and that of each queue inside it.

use super::communicate::Communicate;
use super::context::ComContext;
use super::item::ComputeFunction;
use super::key::Declared;
use super::listener::IterationListener;
use super::object::{AnyObject, Hosted};
use super::session::Session;
use crate::data::RowSource;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

pub(super) type Criterion<'a> = Box<dyn Fn(&ComContext) -> Result<bool> + Send + Sync + 'a>;
pub(super) type Complete<'a, R> = Box<dyn Fn(&mut ComContext) -> Result<R> + Send + Sync + 'a>;
pub(super) type GoesOn<'a> = Box<dyn Fn(&dyn AnyObject) -> Result<bool> + Send + Sync + 'a>;
pub(super) type Deliver<'a> = Box<dyn Fn(&[u32], &dyn AnyObject) -> Result<()> + Send + Sync + 'a>;

/// An item as it was added.
pub(crate) enum Item<'a> {
    Compute(Box<dyn ComputeFunction + 'a>),
    Communicate(Box<dyn Communicate + 'a>),
    Nested(Box<Nested<'a>>),
}

/// A queue that is an item of another.
pub(crate) struct Nested<'a> {
    pub(super) session: Session,
    pub(super) body: Body<'a>,
    pub(super) complete: Complete<'a, ()>,
    /// What it was given that only the outermost queue can have.
    pub(super) misplaced: Option<&'static str>,
}

/// An object that is collected at the end of rounds, or handed to somebody.
pub(crate) struct Watched<'a> {
    pub(super) of: Declared,
    /// Who gets it; where there is nobody, the run keeps it.
    pub(super) to: Option<Deliver<'a>>,
}

/// What a queue that looks ahead leaves to be looked at of a round, and whether the round that was begun unseen did anything.
pub(crate) struct Ahead<'a> {
    pub(super) of: Declared,
    /// Rounds that took longer are looked at before the next begins.
    pub(super) within: Duration,
    pub(super) goes_on: GoesOn<'a>,
}

/// The items of an iteration, what they start from, and when it ends.
pub(crate) struct Body<'a> {
    pub(super) name: &'static str,
    pub(super) partitioned: Vec<(Declared, Arc<dyn RowSource + 'a>)>,
    pub(super) broadcast: Vec<(Declared, Arc<Hosted>)>,
    pub(super) items: Vec<Item<'a>>,
    pub(super) criterion: Option<Criterion<'a>>,
    pub(super) max_iter: Option<u32>,
    pub(super) feedback: Vec<Declared>,
    pub(super) listeners: Vec<Box<dyn IterationListener + 'a>>,
    pub(super) outputs: Vec<Watched<'a>>,
    pub(super) ahead: Option<Ahead<'a>>,
}

impl<'a> Body<'a> {
    pub(super) fn new() -> Self {
        Self {
            name: "queue",
            partitioned: Vec::new(),
            broadcast: Vec::new(),
            items: Vec::new(),
            criterion: None,
            max_iter: None,
            feedback: Vec::new(),
            listeners: Vec::new(),
            outputs: Vec::new(),
            ahead: None,
        }
    }

    /// Refuses what would never end; `ends` says whether something else ends it.
    pub(super) fn check_end(&self, ends: bool) -> Result<()> {
        let never = self.criterion.is_none() && self.feedback.is_empty() && !ends;
        match self.max_iter {
            Some(0) => Err(Error::parameter("max_iter", "0 rounds compute nothing: take 1 or more")),
            None if never => {
                let message = "the queue would never end: give it a maximum of rounds, a criterion or a feedback";
                Err(Error::parameter("max_iter", message))
            }
            _ => Ok(()),
        }
    }

    /// This body and those of the queues inside it.
    pub(super) fn all(&self) -> Vec<&Body<'a>> {
        let inner = self.items.iter().filter_map(|item| match item {
            Item::Nested(nested) => Some(nested.body.all()),
            Item::Compute(_) | Item::Communicate(_) => None,
        });
        std::iter::once(self).chain(inner.flatten()).collect()
    }

    /// Refuses a queue inside that was made for another session than the one that runs it.
    pub(super) fn check_session(&self, session: &Session) -> Result<()> {
        let nested = self.all().into_iter().flat_map(|body| &body.items).filter_map(|item| match item {
            Item::Nested(nested) => Some(nested),
            Item::Compute(_) | Item::Communicate(_) => None,
        });
        match nested.into_iter().find(|nested| !nested.session.is(session)) {
            Some(other) => {
                let message = "it was made for another session than the queue that it is an item of";
                Err(Error::wiring(other.body.name, "(queue)", message))
            }
            None => Ok(()),
        }
    }

    /// The communications of this body and of the queues inside it.
    pub(super) fn communications(&self) -> impl Iterator<Item = &dyn Communicate> {
        self.all().into_iter().flat_map(|body| &body.items).filter_map(|item| match item {
            Item::Communicate(communicate) => Some(&**communicate as &dyn Communicate),
            Item::Compute(_) | Item::Nested(_) => None,
        })
    }
}
