//! The trait that every item of a queue implements, for every device.

use super::context::ComContext;
use super::declare::Objects;
use super::shader::Shader;
use crate::Result;
use std::borrow::Cow;

/// A computation that runs once per superstep on every task: Alink's `ComputeFunction`, Flink ML's operator in the
/// iteration body.
///
/// `calc` computes on the host. `shader` may give the same computation in WGSL; without it, the item runs through `calc`
/// also where its data live on a GPU, and just the objects it asks for are moved.
///
/// ```
/// use ndarray::Array1;
/// use superstep::{Result, queue::{ComContext, ComputeFunction, Key, Objects, Rows}};
///
/// const ROWS: Key<Rows> = Key::new("rows");
/// const VECTOR: Key<Array1<f32>> = Key::new("vector");
/// const PRODUCT: Key<Array1<f32>> = Key::new("product");
///
/// /// One pass of power iteration over the rows of a partition: y = Aᵀ(A v).
/// struct Multiply;
///
/// impl ComputeFunction for Multiply {
///     fn objects(&self) -> Objects {
///         Objects::reads((ROWS, VECTOR)).writes(PRODUCT)
///     }
///
///     fn calc(&self, cx: &mut ComContext) -> Result<()> {
///         let (rows, v) = (cx.get(ROWS)?, cx.get(VECTOR)?);
///         let product = rows.t().dot(&rows.dot(v));
///         cx.put(PRODUCT, product)
///     }
/// }
/// ```
pub trait ComputeFunction: Send + Sync {
    /// The name in errors and traces; the type's own by default.
    fn name(&self) -> Cow<'static, str> {
        let path = std::any::type_name::<Self>();
        let path = path.split('<').next().unwrap_or(path);
        Cow::Borrowed(path.rsplit("::").next().unwrap_or(path))
    }

    /// The objects it reads and writes.
    fn objects(&self) -> Objects;

    /// Computes on the host, for one task.
    ///
    /// # Errors
    /// Whatever stops the computation; it ends the queue and names the item and the round.
    fn calc(&self, cx: &mut ComContext) -> Result<()>;

    /// The same computation in WGSL.
    fn shader(&self) -> Option<Shader> {
        None
    }
}

/// An item made of a closure, for what needs no type of its own.
///
/// ```
/// use superstep::queue::{Compute, Key, Objects};
///
/// const STEP: Key<f64> = Key::new("step");
///
/// let decay = Compute::new("decay", Objects::none().writes(STEP), |cx| {
///     let step = 1.0 / f64::from(cx.step_no()).sqrt();
///     cx.put(STEP, step)
/// });
/// # let _ = decay;
/// ```
pub struct Compute<F> {
    name: &'static str,
    objects: Objects,
    calc: F,
}

impl<F: Fn(&mut ComContext) -> Result<()> + Send + Sync> Compute<F> {
    /// An item of this name that touches these objects.
    pub fn new(name: &'static str, objects: Objects, calc: F) -> Self {
        Self { name, objects, calc }
    }
}

impl<F: Fn(&mut ComContext) -> Result<()> + Send + Sync> ComputeFunction for Compute<F> {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.name)
    }

    fn objects(&self) -> Objects {
        self.objects.clone()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        (self.calc)(cx)
    }
}

/// An item of which every round of every task has one of its own.
pub(crate) struct ForEachRound<F, M> {
    /// What it declares is the same for all of them.
    pub(crate) first: F,
    pub(crate) make: M,
}

impl<F: ComputeFunction, M: Fn() -> F + Send + Sync> ComputeFunction for ForEachRound<F, M> {
    fn name(&self) -> Cow<'static, str> {
        self.first.name()
    }

    fn objects(&self) -> Objects {
        self.first.objects()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        (self.make)().calc(cx)
    }

    fn shader(&self) -> Option<Shader> {
        self.first.shader()
    }
}
