//! The values that flags take, from their text. Each parser's error is a sentence for the user.

use std::str::FromStr;
use superstep::Error;

/// A setting that the library itself can read, such as a device or a metric.
pub(super) fn setting<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| match error {
        Error::Parameter { message, .. } => message,
        error => error.to_string(),
    })
}

/// A whole number of at least 1.
pub(super) fn at_least_one<T: FromStr + Default + PartialEq>(text: &str) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(number) if number != T::default() => Ok(number),
        _ => Err("take a whole number, 1 or more".into()),
    }
}

/// A finite number of at least 0.
pub(super) fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("take a number, 0 or more".into()),
    }
}

/// A number from 0 to 1.
pub(super) fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("take a number from 0 to 1".into()),
    }
}

/// A finite number above 0.
pub(super) fn step(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("take a number above 0".into()),
    }
}

/// A number above 0; infinity is one.
pub(super) fn strength(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 => Ok(number),
        _ => Err("take a number above 0, or inf".into()),
    }
}

/// A number of bytes: plain, or with a unit, as `1000000`, `512M`, `2G` (powers of 1000), `1GiB` (powers of 1024).
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let power = "kmgt".find(|prefix| unit.starts_with(prefix)).map_or(0, |at| at as u32 + 1);
    let scale = match unit.get(usize::from(power > 0)..) {
        Some("" | "b") => 1000_u64.checked_pow(power),
        Some("ib") if power > 0 => 1024_u64.checked_pow(power),
        _ => None,
    };
    let bytes = number.parse::<f64>().ok().zip(scale).map(|(number, scale)| number * scale as f64);
    match bytes {
        Some(bytes) if bytes >= 1.0 => Ok(bytes as u64),
        _ => Err("take a size such as 1000000, 512M, 2G or 1GiB".into()),
    }
}

/// Numbers of clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ks(pub(super) Vec<usize>);

/// Numbers of clusters: `2..20` with both ends, `10..100:10`, `2,4,8`, or one.
pub(super) fn ks(text: &str) -> Result<Ks, String> {
    let advice = "take a range such as 2..20 or 10..100:10, or a list such as 2,4,8, of numbers from 1";
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|k| *k > 0);
    let ks = match text.split_once("..") {
        Some((first, rest)) => {
            let (last, step) = rest.split_once(':').unwrap_or((rest, "1"));
            let range = number(first).zip(number(last)).zip(number(step));
            range.map(|((first, last), step)| (first..=last).step_by(step).collect())
        }
        None => text.split(',').map(number).collect::<Option<Vec<usize>>>(),
    };
    ks.filter(|ks| !ks.is_empty()).map(Ks).ok_or_else(|| advice.to_owned())
}

/// The character between cells: one ASCII character, or `tab`.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [b'"' | b'\n' | b'\r'] => Err("quotes and line ends cannot stand between cells".into()),
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err("take one ASCII character, or the word tab".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_clusters_are_ranges_with_both_ends_or_lists() {
        let cases =
            [("2..5", vec![2, 3, 4, 5]), ("10..40:10", vec![10, 20, 30, 40]), ("2,4,8", vec![2, 4, 8]), ("7", vec![7])];
        for (text, expected) in cases {
            assert_eq!(ks(text), Ok(Ks(expected)), "{text}");
        }
        for text in ["", "0..3", "5..2", "2..x", "2,,3", "2..9:0", "-1"] {
            assert!(ks(text).is_err(), "{text}");
        }
    }
    use superstep::queue::DeviceChoice;

    #[test]
    fn sizes_take_units_of_1000_and_1024() {
        let cases = [
            ("1000000", Some(1_000_000)),
            ("512M", Some(512_000_000)),
            ("2G", Some(2_000_000_000)),
            ("1.5k", Some(1500)),
            ("1GiB", Some(1 << 30)),
            ("3 MB", Some(3_000_000)),
            ("7b", Some(7)),
            ("", None),
            ("0", None),
            ("G", None),
            ("1ib", None),
            ("12parsecs", None),
            ("-5M", None),
            ("1..5G", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text).ok(), bytes, "{text:?}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(at_least_one::<usize>("3"), Ok(3));
        for text in ["0", "-1", "2.5", "many", ""] {
            assert!(at_least_one::<usize>(text).is_err(), "{text:?}");
        }
        assert_eq!((strength("0.5"), strength("inf")), (Ok(0.5), Ok(f64::INFINITY)));
        assert!(["0", "-1", "nan", ""].iter().all(|text| strength(text).is_err()));
        assert_eq!(tolerance("0"), Ok(0.0));
        for text in ["-1e-9", "nan", "inf", "x"] {
            assert!(tolerance(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn delimiters_are_one_character() {
        let cases =
            [(";", Some(b';')), ("tab", Some(b'\t')), ("\\t", Some(b'\t')), ("ab", None), ("é", None), ("\"", None)];
        for (text, byte) in cases {
            assert_eq!(delimiter(text).ok(), byte, "{text:?}");
        }
    }

    #[test]
    fn a_setting_of_the_library_says_what_it_accepts() {
        let error = setting::<DeviceChoice>("tpu").expect_err("there is no such device");
        assert!(error.starts_with("`tpu` names no device"), "{error}");
    }
}
