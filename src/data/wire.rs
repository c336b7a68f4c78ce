//! Numbers as bytes that travel between processes: little-endian, lists after their length.

/// A number that travels.
pub(crate) trait Word: Sized + Copy {
    /// Adds its bytes, the lowest first.
    fn write(self, to: &mut Vec<u8>);

    /// Takes its bytes off the front.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

macro_rules! words {
    ($($word:ty),+) => {$(
        impl Word for $word {
            fn write(self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }

            fn read(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )+};
}

words!(u8, u32, u64, i64, f32, f64);

/// Adds a list.
pub(crate) fn write_list<W: Word>(list: &[W], to: &mut Vec<u8>) {
    (list.len() as u64).write(to);
    to.reserve(size_of_val(list));
    list.iter().for_each(|word| word.write(to));
}

/// Takes a list off the front; `None` where there are not as many words as it says.
pub(crate) fn read_list<W: Word>(from: &mut &[u8]) -> Option<Vec<W>> {
    let length = usize::try_from(u64::read(from)?).ok()?;
    if length.checked_mul(size_of::<W>())? > from.len() {
        return None;
    }
    (0..length).map(|_| W::read(from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_was_cut_is_refused() {
        let mut bytes = Vec::new();
        7_u32.write(&mut bytes);
        write_list(&[1.5_f64, -0.0], &mut bytes);
        (-3_i64).write(&mut bytes);
        assert_eq!(bytes[..4], [7, 0, 0, 0]);
        let mut from = bytes.as_slice();
        assert_eq!(u32::read(&mut from), Some(7));
        assert_eq!(read_list::<f64>(&mut from).map(|list| list.iter().map(|x| x.to_bits()).collect::<Vec<_>>()), {
            Some(vec![1.5_f64.to_bits(), (-0.0_f64).to_bits()])
        });
        assert_eq!((i64::read(&mut from), from.len()), (Some(-3), 0));
        assert_eq!(read_list::<f64>(&mut &bytes[4..20]), None);
        assert_eq!(read_list::<f64>(&mut &u64::MAX.to_le_bytes()[..]), None);
    }
}
