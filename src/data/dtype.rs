//! The element types of binary files, and the loops that decode them.

use half::bf16;

/// An element type and its byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DType {
    kind: Kind,
    big_endian: bool,
}

/// What an element is, whatever its byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    BF16,
    F32,
    F64,
}

/// f32 or f64, which elements are decoded to.
pub(super) trait Decoded: Copy + Send {
    /// The value of an element, rounded once if it must be.
    fn of<S: Stored>(stored: S) -> Self;

    /// The value of an element less an origin: the difference is formed in f64 and rounded once.
    fn less<S: Stored>(stored: S, origin: f64) -> Self;
}

impl Decoded for f32 {
    #[inline(always)]
    fn of<S: Stored>(stored: S) -> Self {
        stored.to_f32()
    }

    #[inline(always)]
    fn less<S: Stored>(stored: S, origin: f64) -> Self {
        (stored.to_f64() - origin) as Self
    }
}

impl Decoded for f64 {
    #[inline(always)]
    fn of<S: Stored>(stored: S) -> Self {
        stored.to_f64()
    }

    #[inline(always)]
    fn less<S: Stored>(stored: S, origin: f64) -> Self {
        stored.to_f64() - origin
    }
}

/// What is taken off elements that are decoded one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    /// Nothing.
    Nowhere,
    /// The same from each.
    Same(f64),
    /// From each its own.
    Each(&'a [f64]),
}

impl DType {
    /// Elements of this kind whose low bytes come first.
    pub(super) fn little_endian(kind: Kind) -> Self {
        Self { kind, big_endian: false }
    }

    /// Reads NumPy's short form, such as `<f4`; what is no number is refused with what to do instead.
    pub(super) fn parse(descr: &str) -> Result<Self, String> {
        let (order, kind) = descr.split_at_checked(1).unwrap_or(("", descr));
        let big_endian = match order {
            "<" | "|" => false,
            ">" => true,
            "=" => cfg!(target_endian = "big"),
            _ => return Err(format!("has the unknown element type `{descr}`; save it with `.astype('float32')`")),
        };
        let kind = match kind {
            "b1" => Kind::Bool,
            "i1" => Kind::I8,
            "i2" => Kind::I16,
            "i4" => Kind::I32,
            "i8" => Kind::I64,
            "u1" => Kind::U8,
            "u2" => Kind::U16,
            "u4" => Kind::U32,
            "u8" => Kind::U64,
            "f2" => Kind::F16,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            _ => return Err(Self::refusal(descr, kind)),
        };
        Ok(Self { kind, big_endian })
    }

    /// Why a type is not read, and what to do.
    fn refusal(descr: &str, kind: &str) -> String {
        let what = match kind.as_bytes().first() {
            Some(b'f') => "floats wider than 64 bits",
            Some(b'O') => "Python objects (pickled)",
            Some(b'c') => "complex numbers",
            Some(b'S' | b'U' | b'a') => "text",
            Some(b'M' | b'm') => "dates or times",
            Some(b'V') => "raw records",
            _ => "elements of an unknown type",
        };
        format!("holds {what} (`{descr}`), which are not read; save it with `.astype('float32')` or `'float64'`")
    }

    /// The bytes of one element.
    pub(super) fn size(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 | Kind::F16 | Kind::BF16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    /// Its name, such as `f32`.
    pub(super) fn name(self) -> &'static str {
        match self.kind {
            Kind::Bool => "bool",
            Kind::I8 => "i8",
            Kind::I16 => "i16",
            Kind::I32 => "i32",
            Kind::I64 => "i64",
            Kind::U8 => "u8",
            Kind::U16 => "u16",
            Kind::U32 => "u32",
            Kind::U64 => "u64",
            Kind::F16 => "f16",
            Kind::BF16 => "bf16",
            Kind::F32 => "f32",
            Kind::F64 => "f64",
        }
    }

    /// Whether elements carry more than an f32 does.
    pub(super) fn is_wide(self) -> bool {
        matches!(self.kind, Kind::I32 | Kind::U32 | Kind::I64 | Kind::U64 | Kind::F64)
    }

    /// Whether the bytes are f32 values as this machine has them.
    pub(super) fn is_native_f32(self) -> bool {
        self.kind == Kind::F32 && self.is_native()
    }

    /// Whether the bytes are f64 values as this machine has them.
    pub(super) fn is_native_f64(self) -> bool {
        self.kind == Kind::F64 && self.is_native()
    }

    fn is_native(self) -> bool {
        self.big_endian == cfg!(target_endian = "big")
    }

    /// Decodes `bytes`, one element after the other, into every `step`-th value of `out`, from its first on.
    pub(super) fn decode<D: Decoded>(self, bytes: &[u8], origin: Origin<'_>, out: &mut [D], step: usize) {
        let big = self.big_endian;
        match self.kind {
            Kind::Bool => each::<bool, D, 1>(bytes, big, origin, out, step),
            Kind::I8 => each::<i8, D, 1>(bytes, big, origin, out, step),
            Kind::I16 => each::<i16, D, 2>(bytes, big, origin, out, step),
            Kind::I32 => each::<i32, D, 4>(bytes, big, origin, out, step),
            Kind::I64 => each::<i64, D, 8>(bytes, big, origin, out, step),
            Kind::U8 => each::<u8, D, 1>(bytes, big, origin, out, step),
            Kind::U16 => each::<u16, D, 2>(bytes, big, origin, out, step),
            Kind::U32 => each::<u32, D, 4>(bytes, big, origin, out, step),
            Kind::U64 => each::<u64, D, 8>(bytes, big, origin, out, step),
            Kind::F16 => each::<Half, D, 2>(bytes, big, origin, out, step),
            Kind::BF16 => each::<bf16, D, 2>(bytes, big, origin, out, step),
            Kind::F32 => each::<f32, D, 4>(bytes, big, origin, out, step),
            Kind::F64 => each::<f64, D, 8>(bytes, big, origin, out, step),
        }
    }
}

/// Decodes elements of `N` bytes; apart from [`DType::decode`] so that each type gets loops of its own, which the compiler
/// turns into vector instructions.
fn each<S, D: Decoded, const N: usize>(bytes: &[u8], big: bool, origin: Origin<'_>, out: &mut [D], step: usize)
where
    S: Stored<Bytes = [u8; N]>,
{
    let (elements, _) = bytes.as_chunks::<N>();
    if big {
        let swapped = |element: &[u8; N]| {
            let mut element = *element;
            element.reverse();
            S::from_le(element)
        };
        put(elements.iter().map(swapped), origin, out, step);
    } else {
        put(elements.iter().map(|element| S::from_le(*element)), origin, out, step);
    }
}

#[inline(always)]
fn put<S: Stored, D: Decoded>(values: impl Iterator<Item = S>, origin: Origin<'_>, out: &mut [D], step: usize) {
    match (origin, step) {
        (Origin::Nowhere, 1) => values.zip(out).for_each(|(value, out)| *out = D::of(value)),
        (Origin::Nowhere, step) => {
            values.zip(out.iter_mut().step_by(step)).for_each(|(value, out)| *out = D::of(value));
        }
        (Origin::Same(origin), step) => {
            values.zip(out.iter_mut().step_by(step)).for_each(|(value, out)| *out = D::less(value, origin));
        }
        (Origin::Each(origins), 1) => {
            let slots = out.iter_mut().zip(origins);
            values.zip(slots).for_each(|(value, (out, origin))| *out = D::less(value, *origin));
        }
        (Origin::Each(origins), step) => {
            let slots = out.iter_mut().step_by(step).zip(origins);
            values.zip(slots).for_each(|(value, (out, origin))| *out = D::less(value, *origin));
        }
    }
}

/// A type that elements are stored in.
pub(super) trait Stored: Copy {
    type Bytes;

    fn from_le(bytes: Self::Bytes) -> Self;

    fn to_f64(self) -> f64;

    /// The nearest f32; by way of f64 where that is as good.
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self.to_f64() as f32
    }
}

impl Stored for bool {
    type Bytes = [u8; 1];

    #[inline(always)]
    fn from_le([byte]: [u8; 1]) -> Self {
        byte != 0
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// The types of the language, each with its number of bytes and whether an f32 holds all its values.
macro_rules! stored {
    ($($name:ident $size:literal),*) => {$(
        impl Stored for $name {
            type Bytes = [u8; $size];

            #[inline(always)]
            fn from_le(bytes: [u8; $size]) -> Self {
                Self::from_le_bytes(bytes)
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
        }
    )*};
}

stored!(i8 1, u8 1, i16 2, u16 2, i32 4, u32 4, i64 8, u64 8, f32 4, f64 8);

impl Stored for bf16 {
    type Bytes = [u8; 2];

    #[inline(always)]
    fn from_le(bytes: [u8; 2]) -> Self {
        Self::from_le_bytes(bytes)
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self.to_f32())
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

/// An f16 by its bits. `half` converts one value by branches or, in whole aligned slices, by the processor's own
/// instruction; this form is without branches, so that a loop over any bytes becomes vector instructions everywhere.
#[derive(Clone, Copy)]
struct Half(u16);

impl Stored for Half {
    type Bytes = [u8; 2];

    #[inline(always)]
    fn from_le(bytes: [u8; 2]) -> Self {
        Self(u16::from_le_bytes(bytes))
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self.to_f32())
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        let bits = u32::from(self.0);
        // Exponent and mantissa at the place of an f32's make the value 2⁻¹¹² too small, subnormal ones included.
        let size = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
        // What came out at 2¹⁶ or above was an infinity or NaN, and keeps its mantissa.
        let special = if size >= 65_536.0 { 0x7f80_0000 } else { 0 };
        f32::from_bits(size.to_bits() | special | ((bits & 0x8000) << 16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    #[test]
    fn every_half_is_what_the_crate_half_says() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (Half(bits).to_f32(), f16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()), "{bits:#x}");
            let (ours, theirs) = (Stored::to_f32(bf16::from_bits(bits)), bf16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()), "bf16 {bits:#x}");
        }
    }

    #[test]
    fn integers_are_rounded_once() {
        // Rounded to f64 first, the last bit would be lost and the tie then go down.
        let value = (1_u64 << 60) + (1 << 36) + 1;
        let mut out = [0.0_f32];
        DType::little_endian(Kind::U64).decode(&value.to_le_bytes(), Origin::Nowhere, &mut out, 1);
        assert_eq!(out, [f32::from_bits(((1_u64 << 60) as f32).to_bits() + 1)]);
    }
}
