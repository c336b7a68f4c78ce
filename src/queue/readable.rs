//! What a key reads from a context: an object, or a view of rows.

use super::context::ComContext;
use super::key::{Key, Rows, Value};
use super::object::Object;
use crate::Result;
use ndarray::ArrayView2;

/// Reads a value by its key; implemented for [`Rows`] and for every [`Object`].
///
/// This trait is sealed through [`Value`].
pub trait Readable: Value {
    /// What [`ComContext::get`] gives: a reference to an object, a view of rows.
    type Ref<'c>;

    #[doc(hidden)]
    fn read<'c>(cx: &'c ComContext<'_>, key: Key<Self>) -> Result<Self::Ref<'c>>
    where
        Self: Sized;
}

impl<T: Object> Readable for T {
    type Ref<'c> = &'c T;

    fn read<'c>(cx: &'c ComContext<'_>, key: Key<T>) -> Result<&'c T> {
        cx.may_touch(key.name(), false)?;
        let stored = cx.current(key.name())?;
        cx.on_host(key.name(), stored)
    }
}

impl Readable for Rows {
    type Ref<'c> = ArrayView2<'c, f32>;

    fn read<'c>(cx: &'c ComContext<'_>, key: Key<Rows>) -> Result<ArrayView2<'c, f32>> {
        cx.rows(key)?.view()
    }
}
