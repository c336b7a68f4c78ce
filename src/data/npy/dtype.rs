//! The element types of `.npy` files that are numbers.

/// An element type and its byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DType {
    kind: Kind,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    I1,
    I2,
    I4,
    I8,
    U1,
    U2,
    U4,
    U8,
    F4,
    F8,
}

impl DType {
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
            "i1" => Kind::I1,
            "i2" => Kind::I2,
            "i4" => Kind::I4,
            "i8" => Kind::I8,
            "u1" => Kind::U1,
            "u2" => Kind::U2,
            "u4" => Kind::U4,
            "u8" => Kind::U8,
            "f4" => Kind::F4,
            "f8" => Kind::F8,
            _ => return Err(Self::refusal(descr, kind)),
        };
        Ok(Self { kind, big_endian })
    }

    /// Why a type is not read, and what to do.
    fn refusal(descr: &str, kind: &str) -> String {
        let what = match kind.as_bytes().first() {
            Some(b'f') if kind == "f2" => "half-precision floats",
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
            Kind::Bool | Kind::I1 | Kind::U1 => 1,
            Kind::I2 | Kind::U2 => 2,
            Kind::I4 | Kind::U4 | Kind::F4 => 4,
            Kind::I8 | Kind::U8 | Kind::F8 => 8,
        }
    }

    /// Whether elements carry more than an f32 does.
    pub(super) fn is_wide(self) -> bool {
        matches!(self.kind, Kind::I4 | Kind::U4 | Kind::I8 | Kind::U8 | Kind::F8)
    }

    /// Whether the bytes are f32 values as this machine has them.
    pub(super) fn is_native_f32(self) -> bool {
        self.kind == Kind::F4 && self.big_endian == cfg!(target_endian = "big")
    }

    /// Decodes `bytes`, one element a slot, and hands each value to `put` with its slot.
    pub(super) fn decode<S>(self, bytes: &[u8], slots: impl Iterator<Item = S>, put: impl Fn(f64, S)) {
        let big = self.big_endian;
        match self.kind {
            Kind::Bool => each(bytes, big, slots, |b: [u8; 1]| f64::from(u8::from(b[0] != 0)), put),
            Kind::I1 => each(bytes, big, slots, |b| i8::from_le_bytes(b).into(), put),
            Kind::I2 => each(bytes, big, slots, |b| i16::from_le_bytes(b).into(), put),
            Kind::I4 => each(bytes, big, slots, |b| i32::from_le_bytes(b).into(), put),
            Kind::I8 => each(bytes, big, slots, |b| i64::from_le_bytes(b) as f64, put),
            Kind::U1 => each(bytes, big, slots, |b| u8::from_le_bytes(b).into(), put),
            Kind::U2 => each(bytes, big, slots, |b| u16::from_le_bytes(b).into(), put),
            Kind::U4 => each(bytes, big, slots, |b| u32::from_le_bytes(b).into(), put),
            Kind::U8 => each(bytes, big, slots, |b| u64::from_le_bytes(b) as f64, put),
            Kind::F4 => each(bytes, big, slots, |b| f32::from_le_bytes(b).into(), put),
            Kind::F8 => each(bytes, big, slots, f64::from_le_bytes, put),
        }
    }
}

/// Decodes elements of `N` bytes; apart from [`DType::decode`] so that each type gets a loop of its own.
fn each<const N: usize, S>(
    bytes: &[u8],
    big_endian: bool,
    slots: impl Iterator<Item = S>,
    from_le_bytes: impl Fn([u8; N]) -> f64,
    put: impl Fn(f64, S),
) {
    let (elements, _) = bytes.as_chunks::<N>();
    if big_endian {
        for (element, slot) in elements.iter().zip(slots) {
            let mut element = *element;
            element.reverse();
            put(from_le_bytes(element), slot);
        }
    } else {
        for (element, slot) in elements.iter().zip(slots) {
            put(from_le_bytes(*element), slot);
        }
    }
}
