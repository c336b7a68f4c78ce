//! The header of a `.npy` file, read strictly: exactly the three keys, and nothing after them.

use crate::data::dtype::DType;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What a header tells.
#[derive(Debug)]
pub(in crate::data) struct Header {
    pub(in crate::data) dtype: DType,
    pub(in crate::data) fortran_order: bool,
    pub(in crate::data) shape: Vec<u64>,
}

impl Header {
    /// The bytes of the whole head, where the first ones tell it.
    pub(in crate::data) fn length(bytes: &[u8]) -> Option<u64> {
        match *bytes.strip_prefix(MAGIC)? {
            [1, _, a, b, ..] => Some(10 + u64::from(u16::from_le_bytes([a, b]))),
            [2 | 3, _, a, b, c, d, ..] => Some(12 + u64::from(u32::from_le_bytes([a, b, c, d]))),
            _ => None,
        }
    }

    /// Parses the head of a file; also returns the offset of the first value. Errors continue "the file …".
    pub(in crate::data) fn parse(bytes: &[u8]) -> Result<(Self, usize), String> {
        if bytes.is_empty() {
            return Err("is empty (0 bytes); write it again".into());
        }
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err("is no .npy file: it does not begin with NumPy's mark; save it with numpy.save".into());
        };
        let cut_short = || "ends within its header; it was cut short: write it again".to_string();
        let (length, head) = match *rest {
            [1, _, a, b, ..] => (u32::from(u16::from_le_bytes([a, b])), 10),
            [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([a, b, c, d]), 12),
            [1..=3, ..] | [] => return Err(cut_short()),
            [version, ..] => return Err(format!("is of .npy version {version}; versions 1 to 3 are read")),
        };
        let text = bytes.get(head..).and_then(|rest| rest.get(..length as usize)).ok_or_else(cut_short)?;
        let text = std::str::from_utf8(text).map_err(|_| damaged("it is not text"))?;
        Ok((Parser { rest: text }.header()?, head + length as usize))
    }
}

fn damaged(why: &str) -> String {
    format!("has a damaged header: {why}; write it again with numpy.save")
}

/// Reads the literal `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn header(mut self) -> Result<Header, String> {
        let (mut dtype, mut fortran_order, mut shape) = (None, None, None);
        self.expect("{")?;
        while !self.take("}") {
            let key = self.string()?;
            self.expect(":")?;
            let repeated = match key {
                "descr" => dtype.replace(self.dtype()?).is_some(),
                "fortran_order" => fortran_order.replace(self.boolean()?).is_some(),
                "shape" => shape.replace(self.shape()?).is_some(),
                _ => return Err(damaged(&format!("it has the unknown key `{key}`"))),
            };
            if repeated {
                return Err(damaged(&format!("it has `{key}` twice")));
            }
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        if !self.rest.trim().is_empty() {
            return Err(damaged("something follows its dictionary"));
        }
        match (dtype, fortran_order, shape) {
            (Some(dtype), Some(fortran_order), Some(shape)) => Ok(Header { dtype, fortran_order, shape }),
            _ => Err(damaged("`descr`, `fortran_order` or `shape` is missing")),
        }
    }

    /// Skips blanks, then takes `token` if it is next.
    fn take(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(damaged(&format!("`{token}` is missing"))) }
    }

    fn dtype(&mut self) -> Result<DType, String> {
        if self.take("[") {
            return Err("holds records of several fields; save one array of plain numbers instead".into());
        }
        DType::parse(self.string()?)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        if self.take("True") {
            return Ok(true);
        }
        if self.take("False") { Ok(false) } else { Err(damaged("`fortran_order` is neither True nor False")) }
    }

    fn shape(&mut self) -> Result<Vec<u64>, String> {
        let mut shape = Vec::new();
        self.expect("(")?;
        while !self.take(")") {
            shape.push(self.number()?);
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(shape)
    }

    fn number(&mut self) -> Result<u64, String> {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        // Python 2 wrote long integers, as in `(3L, 4L)`.
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        digits.parse().map_err(|_| damaged("a length in `shape` is not a whole number of 64 bits"))
    }
}

impl<'a> Parser<'a> {
    fn string(&mut self) -> Result<&'a str, String> {
        self.rest = self.rest.trim_start();
        let missing = || damaged("a quoted word is missing");
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"')).ok_or_else(missing)?;
        let (word, rest) = self.rest[1..].split_once(quote).ok_or_else(missing)?;
        self.rest = rest;
        Ok(word)
    }
}
