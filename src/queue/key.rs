//! Typed names of the objects that items read and write.

use super::object::{Object, ObjectType};
use std::marker::PhantomData;

/// Marks a key of partitioned rows: a table of f32, `rows × columns`, of which each task holds a run of rows.
///
/// [`ComContext::get`](super::ComContext::get) gives the task's own rows as an `ArrayView2<f32>`. Those of
/// [`SparseRows`](crate::data::SparseRows) are packs of a sparse matrix, which [`Pack`](crate::data::Pack) reads.
#[derive(Debug, Clone, Copy)]
pub enum Rows {}

/// How long an object lives. Rounds are those of the queue that provides it first, where queues are items of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// Until the queue ends: FLIP-176's all-round lifecycle, and Alink's only one.
    #[default]
    AllRounds,
    /// Until the end of the round that put it: FLIP-176's per-round lifecycle.
    PerRound,
}

/// The typed name of an object.
///
/// ```
/// use ndarray::Array1;
/// use superstep::queue::{Key, Rows};
///
/// const POINTS: Key<Rows> = Key::new("points");
/// const GRADIENT: Key<Array1<f64>> = Key::new("gradient").per_round();
/// # assert_eq!(POINTS.name(), "points");
/// # assert_eq!(GRADIENT.name(), "gradient");
/// ```
///
/// A WGSL variable of the same name binds the object on a GPU.
pub struct Key<T> {
    name: &'static str,
    lifetime: Lifetime,
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// The key of an object that lives for all rounds.
    pub const fn new(name: &'static str) -> Self {
        Self { name, lifetime: Lifetime::AllRounds, of: PhantomData }
    }

    /// The same key for an object that lives for one round.
    #[must_use]
    pub const fn per_round(self) -> Self {
        Self { name: self.name, lifetime: Lifetime::PerRound, of: PhantomData }
    }

    /// The name, which is also that of the variable in WGSL.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn lifetime(&self) -> Lifetime {
        self.lifetime
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> std::fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.name)
    }
}

/// What a declared name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Partitioned rows.
    Rows,
    /// An object of a type of its own.
    Object(ObjectType),
}

impl Kind {
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Rows => "partitioned rows",
            Self::Object(object) => object.name,
        }
    }
}

/// A key with its type taken out, as declarations keep it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) lifetime: Lifetime,
}

/// One key or a tuple of up to eight.
///
/// This trait is sealed: keys and tuples of keys implement it.
pub trait Keys: sealed::Keys + Copy {}

impl<K: sealed::Keys + Copy> Keys for K {}

pub(crate) mod sealed {
    use super::Declared;

    pub trait Keys {
        #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
        fn declare(&self, into: &mut Vec<Declared>);
    }
}

/// What a key can stand for: partitioned [`Rows`] or any [`Object`].
///
/// This trait is sealed: implement [`Object`] for a type of your own.
pub trait Value: sealed_value::Sealed {}

impl<T: sealed_value::Sealed> Value for T {}

pub(crate) mod sealed_value {
    use super::Kind;

    pub trait Sealed {
        #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
        fn kind() -> Kind;
    }
}

impl sealed_value::Sealed for Rows {
    #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
    fn kind() -> Kind {
        Kind::Rows
    }
}

impl<T: Object> sealed_value::Sealed for T {
    #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
    fn kind() -> Kind {
        Kind::Object(ObjectType::of::<T>())
    }
}

impl<T: Value> sealed::Keys for Key<T> {
    #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
    fn declare(&self, into: &mut Vec<Declared>) {
        into.push(Declared { name: self.name, kind: T::kind(), lifetime: self.lifetime });
    }
}

macro_rules! tuples_of_keys {
    ($(($($key:ident $at:tt),+))+) => {$(
        impl<$($key: sealed::Keys),+> sealed::Keys for ($($key,)+) {
            #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
            fn declare(&self, into: &mut Vec<Declared>) {
                $(self.$at.declare(into);)+
            }
        }
    )+};
}

tuples_of_keys! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
