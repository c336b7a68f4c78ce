//! What an object is: a value with a type, and a shape where a device can hold it.

use crate::backend::Element;
use crate::data::wire::{read_list, write_list};
use ndarray::{Array1, Array2};
use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::sync::Arc;

/// The dimensions of an array: `[]` for a scalar, `[n]`, `[rows, columns]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// A shape of the given dimensions.
    pub fn new(dimensions: impl Into<Vec<usize>>) -> Self {
        Self(dimensions.into())
    }

    /// The dimensions.
    pub fn dimensions(&self) -> &[usize] {
        &self.0
    }

    /// How many elements an array of this shape has.
    pub fn elements(&self) -> usize {
        self.0.iter().product()
    }

    /// Rows and columns as WGSL sees them: a vector of m elements is m × 1, a scalar 1 × 1.
    pub fn rows_and_columns(&self) -> (usize, usize) {
        match self.0.as_slice() {
            [] => (1, 1),
            [rows] => (*rows, 1),
            [rows, rest @ ..] => (*rows, rest.iter().product()),
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("a scalar");
        }
        for (at, dimension) in self.0.iter().enumerate() {
            write!(f, "{}{dimension}", if at == 0 { "" } else { " × " })?;
        }
        Ok(())
    }
}

/// A value that lives in a [`ComContext`](super::ComContext) under a [`Key`](super::Key).
///
/// Numbers, `Vec`s of numbers and `ndarray`'s one- and two-dimensional arrays are objects that a device can hold. Any
/// other type becomes an object of the host with an empty implementation:
///
/// ```
/// use superstep::queue::{Key, Object};
///
/// #[derive(Clone)]
/// struct Vocabulary(Vec<String>);
///
/// impl Object for Vocabulary {}
///
/// const WORDS: Key<Vocabulary> = Key::new("words");
/// # let _ = WORDS;
/// ```
///
/// One that is reduced or gathered between processes also says how it travels: see [`encode`](Object::encode).
pub trait Object: Clone + Send + Sync + 'static {
    /// The type of its elements, where it is an array that a device can hold.
    const ELEMENT: Option<Element> = None;

    /// Its dimensions, where it is an array.
    fn shape(&self) -> Option<Shape> {
        None
    }

    /// Its elements in row-major order, where it is an array.
    fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// The array of this shape that has these elements; `None` where the lengths do not fit.
    fn from_bytes(shape: &Shape, bytes: &[u8]) -> Option<Self> {
        let _ = (shape, bytes);
        None
    }

    /// Whether it can travel to another process: arrays can. A type of the host that is communicated between processes
    /// says so, and implements [`encode`](Self::encode) and [`decode`](Self::decode).
    const TRAVELS: bool = Self::ELEMENT.is_some();

    /// Its bytes, from which [`decode`](Self::decode) makes it anew in another process; of an array by default its shape
    /// and its elements, little-endian.
    fn encode(&self) -> Option<Vec<u8>> {
        let (shape, bytes) = (self.shape()?, self.to_bytes()?);
        let dimensions: Vec<u64> = shape.dimensions().iter().map(|&dimension| dimension as u64).collect();
        let mut to = Vec::with_capacity(bytes.len() + 8 * (dimensions.len() + 1));
        write_list(&dimensions, &mut to);
        to.extend_from_slice(&bytes);
        little_endian(&mut to, bytes.len(), Self::ELEMENT?);
        Some(to)
    }

    /// The object that has these bytes; `None` where they are no such object's.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = bytes;
        let dimensions = read_list::<u64>(&mut from)?.into_iter().map(usize::try_from);
        let shape = Shape(dimensions.collect::<Result<_, _>>().ok()?);
        let mut elements = from.to_vec();
        little_endian(&mut elements, from.len(), Self::ELEMENT?);
        let size = shape.0.iter().try_fold(Self::ELEMENT?.size(), |size, &dimension| size.checked_mul(dimension))?;
        if size == elements.len() { Self::from_bytes(&shape, &elements) } else { None }
    }
}

/// Turns the elements in the last `length` bytes around where this machine counts bytes from the high end.
fn little_endian(bytes: &mut [u8], length: usize, element: Element) {
    if cfg!(target_endian = "big") {
        let first = bytes.len() - length;
        bytes[first..].chunks_exact_mut(element.size()).for_each(<[u8]>::reverse);
    }
}

macro_rules! objects_of {
    ($($number:ty => $element:ident),+) => {$(
        impl Object for $number {
            const ELEMENT: Option<Element> = Some(Element::$element);

            fn shape(&self) -> Option<Shape> {
                Some(Shape::default())
            }

            fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Borrowed(bytemuck::bytes_of(self)))
            }

            fn from_bytes(_: &Shape, bytes: &[u8]) -> Option<Self> {
                bytemuck::try_pod_read_unaligned(bytes).ok()
            }
        }

        impl Object for Vec<$number> {
            const ELEMENT: Option<Element> = Some(Element::$element);

            fn shape(&self) -> Option<Shape> {
                Some(Shape::new([self.len()]))
            }

            fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Borrowed(bytemuck::cast_slice(self)))
            }

            fn from_bytes(shape: &Shape, bytes: &[u8]) -> Option<Self> {
                let values: Vec<$number> = bytemuck::allocation::pod_collect_to_vec(bytes);
                (values.len() == shape.elements()).then_some(values)
            }
        }

        impl Object for Array1<$number> {
            const ELEMENT: Option<Element> = Some(Element::$element);

            fn shape(&self) -> Option<Shape> {
                Some(Shape::new([self.len()]))
            }

            fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
                Some(bytes_of(self))
            }

            fn from_bytes(shape: &Shape, bytes: &[u8]) -> Option<Self> {
                Vec::<$number>::from_bytes(shape, bytes).map(Array1::from)
            }
        }

        impl Object for Array2<$number> {
            const ELEMENT: Option<Element> = Some(Element::$element);

            fn shape(&self) -> Option<Shape> {
                Some(Shape::new([self.nrows(), self.ncols()]))
            }

            fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
                Some(bytes_of(self))
            }

            fn from_bytes(shape: &Shape, bytes: &[u8]) -> Option<Self> {
                let values = Vec::<$number>::from_bytes(shape, bytes)?;
                Array2::from_shape_vec(shape.rows_and_columns(), values).ok()
            }
        }
    )+};
}

objects_of!(f32 => F32, f64 => F64, i32 => I32, u32 => U32, i64 => I64, u64 => U64);

fn bytes_of<A: bytemuck::Pod, D: ndarray::Dimension>(array: &ndarray::Array<A, D>) -> Cow<'_, [u8]> {
    match array.as_slice() {
        Some(values) => Cow::Borrowed(bytemuck::cast_slice(values)),
        None => Cow::Owned(bytemuck::allocation::pod_collect_to_vec(&array.iter().copied().collect::<Vec<A>>())),
    }
}

/// An object with its type taken out.
pub(crate) trait AnyObject: Any + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn duplicate(&self) -> Box<dyn AnyObject>;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn shape(&self) -> Option<Shape>;
    fn to_bytes(&self) -> Option<Cow<'_, [u8]>>;
    fn encode(&self) -> Option<Vec<u8>>;
}

impl<T: Object> AnyObject for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn duplicate(&self) -> Box<dyn AnyObject> {
        Box::new(self.clone())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn shape(&self) -> Option<Shape> {
        Object::shape(self)
    }

    fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        Object::to_bytes(self)
    }

    fn encode(&self) -> Option<Vec<u8>> {
        Object::encode(self)
    }
}

type Decode = fn(&[u8]) -> Option<Box<dyn AnyObject>>;
type FromBytes = fn(&Shape, &[u8]) -> Option<Box<dyn AnyObject>>;

/// What is known of an object's type without a value of it.
#[derive(Clone, Copy)]
pub(crate) struct ObjectType {
    id: TypeId,
    pub(crate) name: &'static str,
    pub(crate) element: Option<Element>,
    from_bytes: FromBytes,
    decode: Decode,
}

impl ObjectType {
    pub(crate) fn of<T: Object>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: std::any::type_name::<T>(),
            element: T::ELEMENT,
            from_bytes: |shape, bytes| T::from_bytes(shape, bytes).map(|object| Box::new(object) as Box<dyn AnyObject>),
            decode: |bytes| T::decode(bytes).map(|object| Box::new(object) as Box<dyn AnyObject>),
        }
    }

    pub(crate) fn is<T: Object>(&self) -> bool {
        self.id == TypeId::of::<T>()
    }

    pub(crate) fn read(&self, shape: &Shape, bytes: &[u8]) -> Option<Box<dyn AnyObject>> {
        (self.from_bytes)(shape, bytes)
    }

    /// The same of what a device's buffer held, which may end behind the object.
    #[cfg(feature = "gpu")]
    pub(crate) fn read_first(&self, shape: &Shape, bytes: &[u8]) -> Option<Box<dyn AnyObject>> {
        let used = shape.elements() * self.element.map_or(0, Element::size);
        self.read(shape, bytes.get(..used)?)
    }

    pub(crate) fn decode(&self, bytes: &[u8]) -> Option<Box<dyn AnyObject>> {
        (self.decode)(bytes)
    }
}

impl PartialEq for ObjectType {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl std::fmt::Debug for ObjectType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A host value shared by tasks, with the copies of it that devices hold.
pub(crate) struct Hosted {
    pub(crate) object: Box<dyn AnyObject>,
    #[cfg(feature = "gpu")]
    pub(crate) uploads: std::sync::Mutex<Vec<Arc<crate::backend::gpu::DeviceBuffer>>>,
}

impl Hosted {
    pub(crate) fn new(object: Box<dyn AnyObject>) -> Arc<Self> {
        Arc::new(Self {
            object,
            #[cfg(feature = "gpu")]
            uploads: std::sync::Mutex::default(),
        })
    }
}
