//! The distances k-means knows, and the space in which each is computed.

use crate::backend::cpu::Distance;
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// The mean radius of the Earth in kilometres (IUGG, R₁).
pub const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A distance between rows, with the centroid that belongs to it.
///
/// | metric | distance | centroid | inertia sums |
/// | --- | --- | --- | --- |
/// | `Euclidean` | √Σ(xᵢ−cᵢ)² | mean | squared distances |
/// | `Cosine` | 1 − x·c/(\|x\|\|c\|) | mean direction, of length 1 | distances |
/// | `CityBlock` | Σ\|xᵢ−cᵢ\| | median of each column (the lower one of two) | distances |
/// | `Haversine` | great-circle distance in km, of (latitude, longitude) in degrees | mean direction on the sphere | squared distances |
///
/// Cosine and haversine rows are brought onto the unit sphere, where the nearest centroid is that of the squared
/// Euclidean distance: |x−c|² = 2(1 − x·c).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metric {
    /// The straight distance; its squares are summed.
    #[default]
    Euclidean,
    /// One minus the cosine of the angle.
    Cosine,
    /// The sum of the absolute differences.
    CityBlock,
    /// The great-circle distance on the Earth.
    Haversine,
}

impl Metric {
    /// The name used on the command line and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Euclidean => "euclidean",
            Self::Cosine => "cosine",
            Self::CityBlock => "cityblock",
            Self::Haversine => "haversine",
        }
    }

    /// What the kernels measure between prepared rows.
    pub(super) fn kernel_distance(self) -> Distance {
        if self == Self::CityBlock { Distance::CityBlock } else { Distance::SquaredEuclidean }
    }

    /// Whether rows are compared as directions, on the unit sphere.
    pub(super) fn is_spherical(self) -> bool {
        matches!(self, Self::Cosine | Self::Haversine)
    }

    /// How many columns the prepared rows have.
    pub(super) fn prepared_columns(self, columns: usize) -> usize {
        if self == Self::Haversine { 3 } else { columns }
    }

    pub(super) fn check_columns(self, columns: usize) -> Result<()> {
        if self == Self::Haversine && columns != 2 {
            let message = format!("haversine needs 2 columns, latitude and longitude in degrees; there are {columns}");
            return Err(Error::parameter("metric", message));
        }
        Ok(())
    }

    /// Brings a row into the space in which distances are computed; `None` where the metric has no value for it (a zero
    /// row for cosine, a latitude beyond ±90°).
    pub(super) fn prepare(self, row: &[f64], origin: &[f64], out: &mut [f32]) -> Option<()> {
        match self {
            Self::Euclidean | Self::CityBlock => {
                for (column, (out, value)) in out.iter_mut().zip(row).enumerate() {
                    *out = (value - origin.get(column).copied().unwrap_or(0.0)) as f32;
                }
            }
            Self::Cosine => {
                // Scaled by the largest value first: the squares of an f32's range would leave that of f64 only beyond
                // any f32, but those of an f64 row may.
                let largest = row.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
                if largest == 0.0 {
                    return None;
                }
                let norm = row.iter().map(|value| (value / largest).powi(2)).sum::<f64>().sqrt();
                for (out, value) in out.iter_mut().zip(row) {
                    *out = (value / largest / norm) as f32;
                }
            }
            Self::Haversine => {
                let (latitude, longitude) = (row[0].to_radians(), row[1].to_radians());
                if row[0].abs() > 90.0 || row[1].abs() > 360.0 {
                    return None;
                }
                let unit = [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()];
                for (out, value) in out.iter_mut().zip(unit) {
                    *out = value as f32;
                }
            }
        }
        Some(())
    }

    /// The point of the data's own space that a prepared centroid stands for.
    pub(super) fn restore(self, centroid: &[f32], origin: &[f64]) -> Vec<f64> {
        match self {
            Self::Euclidean | Self::CityBlock | Self::Cosine => {
                let origin = origin.iter().copied().chain(std::iter::repeat(0.0));
                centroid.iter().zip(origin).map(|(value, origin)| f64::from(*value) + origin).collect()
            }
            Self::Haversine => {
                let [x, y, z] = [0, 1, 2].map(|at| f64::from(centroid[at]));
                vec![z.atan2(x.hypot(y)).to_degrees(), y.atan2(x).to_degrees()]
            }
        }
    }

    /// The metric's distance of two prepared rows, in f64.
    pub(super) fn distance(self, row: &[f32], centroid: &[f32]) -> f64 {
        let differences = row.iter().zip(centroid).map(|(x, c)| f64::from(*x) - f64::from(*c));
        match self {
            Self::CityBlock => differences.map(f64::abs).sum(),
            Self::Euclidean => differences.map(|difference| difference * difference).sum::<f64>().sqrt(),
            Self::Cosine => differences.map(|difference| difference * difference).sum::<f64>() / 2.0,
            Self::Haversine => {
                let chord = differences.map(|difference| difference * difference).sum::<f64>().sqrt();
                2.0 * EARTH_RADIUS_KM * (chord / 2.0).min(1.0).asin()
            }
        }
    }

    /// What a row adds to the inertia.
    pub(super) fn loss(self, row: &[f32], centroid: &[f32]) -> f64 {
        let distance = if self == Self::Euclidean { 0.0 } else { self.distance(row, centroid) };
        match self {
            Self::Euclidean => squared(row, centroid),
            Self::Haversine => distance * distance,
            Self::Cosine | Self::CityBlock => distance,
        }
    }

    /// The inertia that the kernels' own distances sum to, in this metric's units. On the sphere the kernels sum squared
    /// chords: half of them are cosine distances; for the haversine, arc ≈ chord, which is exact to 1 part in 10⁴ within
    /// 200 km.
    pub(super) fn inertia_of_kernel(self, sum: f64) -> f64 {
        match self {
            Self::Euclidean | Self::CityBlock => sum,
            Self::Cosine => sum / 2.0,
            Self::Haversine => sum * EARTH_RADIUS_KM * EARTH_RADIUS_KM,
        }
    }
}

/// The squared distance of a row to the first of some centroids in f64, in eight sums: one would make each addition wait for the last.
fn squared(row: &[f32], centroid: &[f32]) -> f64 {
    let centroid = centroid.get(..row.len()).unwrap_or(centroid);
    let ((xs, x), (cs, c)) = (row.as_chunks::<8>(), centroid.as_chunks::<8>());
    let mut sums = [0.0_f64; 8];
    for (x, c) in xs.iter().zip(cs) {
        for lane in 0..8 {
            let difference = f64::from(x[lane]) - f64::from(c[lane]);
            sums[lane] += difference * difference;
        }
    }
    let rest: f64 = x.iter().zip(c).map(|(x, c)| (f64::from(*x) - f64::from(*c)).powi(2)).sum();
    sums.iter().sum::<f64>() + rest
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Euclidean, Self::Cosine, Self::CityBlock, Self::Haversine]
            .into_iter()
            .find(|metric| metric.as_str() == text)
            .ok_or_else(|| {
                let message = format!("`{text}` is no metric: euclidean, cosine, cityblock and haversine are");
                Error::parameter("metric", message)
            })
    }
}
