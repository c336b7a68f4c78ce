//! Numbers as a person reads them.

/// A count with its thousands apart: `1,797`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun, in the plural where it is not one: `1 row`, `2 rows`.
pub(crate) fn counted(value: u64, noun: &str) -> String {
    let ending = if value == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(value))
}

/// A measured value in seven digits: `1,165,183`, `0.375`, `1.234568e-9`.
pub(crate) fn value(value: f64) -> String {
    const DIGITS: i32 = 7;
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..15.0).contains(&magnitude) {
        return if value.is_finite() { format!("{value:.6e}") } else { value.to_string() };
    }
    let decimals = (DIGITS - 1 - magnitude as i32).max(0) as usize;
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let sign = if value < 0.0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", whole.parse().map(count).unwrap_or_else(|_| whole.to_owned()))
}

/// A size or a rate in three digits, with its unit: `134 MB`, `25.3 M rows/s`. A unit of one letter takes its prefix of
/// thousands as its own, a longer one stands apart from it.
pub(crate) fn scaled(value: f64, unit: &str) -> String {
    const PREFIXES: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    let mut value = value;
    let mut prefix = 0;
    // 999.5 and more would print as 1000 of the smaller unit.
    while value.abs() >= 999.5 && prefix + 1 < PREFIXES.len() {
        value /= 1000.0;
        prefix += 1;
    }
    let apart = if prefix > 0 && unit.len() > 1 { " " } else { "" };
    format!("{} {}{apart}{unit}", three_digits(value), PREFIXES[prefix])
}

/// A rate in thousands of millions, so that those of a column compare: `59.0 GFLOP/s`, `1,230 GB/s`.
pub(crate) fn giga(value: f64, unit: &str) -> String {
    let value = value / 1e9;
    let text = if value >= 999.5 { count(value.round() as u64) } else { three_digits(value) };
    format!("{text} G{unit}")
}

/// A number of bytes: `512 MB`, in powers of 1000.
pub(crate) fn bytes(value: u64) -> String {
    scaled(value as f64, "B")
}

/// A span of time: `3.20 µs`, `45.1 ms`, `1.23 s`, `2 min 03 s`, `1 h 04 min`.
pub(crate) fn seconds(value: f64) -> String {
    if value >= 3599.5 {
        let minutes = (value / 60.0).round() as u64;
        return format!("{} h {:02} min", minutes / 60, minutes % 60);
    }
    if value >= 99.95 {
        let whole = value.round() as u64;
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    for (unit, size) in [("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)] {
        if value >= 0.9995 * size {
            return format!("{} {unit}", three_digits(value / size));
        }
    }
    if value > 0.0 { format!("{} ns", three_digits(value * 1e9)) } else { "0 s".into() }
}

/// Three digits of a value below a thousand.
fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2000, "row"), "2,000 rows");
    }

    #[test]
    fn rates_keep_their_unit() {
        for (rate, text) in [(59.04e9, "59.0 GB/s"), (1.2345e12, "1,235 GB/s"), (2.5e6, "0.00 GB/s")] {
            assert_eq!(giga(rate, "B/s"), text);
        }
    }

    #[test]
    fn values_show_seven_digits_and_no_idle_zeros() {
        let cases = [
            (0.0, "0"),
            (0.375, "0.375"),
            (-2.5, "-2.5"),
            (1_165_182.93, "1,165,183"),
            (15_243.726_8, "15,243.73"),
            (123_456_789.0, "123,456,789"),
            (0.000_012_345_678_9, "0.00001234568"),
            (1.5e-9, "1.500000e-9"),
            (6.02e23, "6.020000e23"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ];
        for (number, text) in cases {
            assert_eq!(value(number), text, "{number:e}");
        }
    }

    #[test]
    fn sizes_and_rates_take_a_prefix() {
        let cases = [
            (0.0, "B", "0.00 B"),
            (7.0, "rows/s", "7.00 rows/s"),
            (999.6, "B", "1.00 kB"),
            (25_340_000.0, "rows/s", "25.3 M rows/s"),
            (1.2e18, "B", "1200 PB"),
        ];
        for (number, unit, text) in cases {
            assert_eq!(scaled(number, unit), text);
        }
        assert_eq!(bytes(134_217_728), "134 MB");
    }

    #[test]
    fn times_take_the_unit_that_fits() {
        let cases = [
            (0.0, "0 s"),
            (3e-9, "3.00 ns"),
            (3.2e-6, "3.20 µs"),
            (0.0451, "45.1 ms"),
            (0.9999, "1.00 s"),
            (1.234, "1.23 s"),
            (59.96, "60.0 s"),
            (123.0, "2 min 03 s"),
            (3599.7, "1 h 00 min"),
            (3840.0, "1 h 04 min"),
        ];
        for (number, text) in cases {
            assert_eq!(seconds(number), text, "{number}");
        }
    }
}
