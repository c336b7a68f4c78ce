//! What all items of one fit share: shapes, the metric, how the sums are kept.

use super::held::Held;
use super::keys::{NO_WEIGHTS, WEIGHTS};
use super::metric::Metric;
use super::prepare::Prepared;
use crate::Result;
use crate::backend::cpu::{Distance, FixedPoint, Partials, PartialsLayout};
use crate::data::RowSource;
use crate::queue::{Device, Objects, Session, Shader};
use ndarray::Array2;
use std::sync::Arc;

/// The rows of `columns` columns that a thread takes at a time: at most 4096, and 4 MiB unless 16 rows are more. A power of
/// two, so that blocks of all sizes begin where those of 4096 rows do.
pub(super) fn rows_a_block(columns: usize) -> usize {
    let most = (4 << 20) / (columns * size_of::<f32>()).max(1);
    1 << most.clamp(16, 4096).ilog2()
}

/// Shapes and fixed-point settings that several items of one fit share.
#[derive(Clone)]
pub(super) struct Plan {
    /// The rows of all ranks.
    pub(super) rows: i64,
    pub(super) k: usize,
    /// The columns of the prepared rows.
    pub(super) d: usize,
    pub(super) metric: Metric,
    pub(super) weighted: bool,
    pub(super) fixed: Arc<FixedPoint>,
    /// Whether `Steer` guides the search, by bounds perhaps: where all devices, of all ranks, are processors.
    pub(super) steered: bool,
    /// Whether the inertia of a round is taken from the sums: where these hold the rows themselves, in one word, and the
    /// distance is squared. Else every row's distance is measured in every round.
    pub(super) inertia_from_sums: bool,
    /// What a round that is begun unseen looks for, where the queue looks ahead.
    pub(super) held: Held,
    /// Whether bounds may leave out rows, where devices keep them.
    pub(super) wants_bounds: bool,
    /// Whether a device has matrix units.
    pub(super) matrix_units: bool,
    /// The largest magnitude of a value of the rows.
    pub(super) largest: f64,
    /// Whether the devices of all ranks are not of one make, so that they may round differently.
    pub(super) mixed_devices: bool,
}

impl Plan {
    /// Measures how the sums around these first centroids (k × d') must be kept.
    pub(super) fn new(
        session: &Session,
        prepared: &Prepared,
        metric: Metric,
        centroids: &Array2<f32>,
        wants_bounds: bool,
    ) -> Result<Self> {
        let mut neighbours = session.devices().windows(2);
        let mixed_here = neighbours.any(|pair| pair[0].info() != pair[1].info());
        let first = session.devices().first().map(|device| format!("{:?}", device.info())).unwrap_or_default();
        let host_here = session.devices().iter().all(Device::is_host);
        let flags = [u8::from(mixed_here), u8::from(host_here)];
        let ranks = prepared.collective().exchange(Ok([&flags, first.as_bytes()].concat()))?;
        let mixed_devices = ranks.iter().any(|rank| rank.first() == Some(&1) || Some(rank) != ranks.first());
        let steered = ranks.iter().all(|rank| rank.get(1) == Some(&1));
        let weighted = prepared.dataset().weights().is_some();
        let fixed = prepared.fixed_point(centroids.as_slice().unwrap_or(&[]))?;
        let is_squared = metric.kernel_distance() == Distance::SquaredEuclidean;
        Ok(Self {
            rows: prepared.rows().cast_signed(),
            k: centroids.nrows(),
            d: prepared.columns(),
            metric,
            weighted,
            inertia_from_sums: !weighted && fixed.words() == 1 && is_squared,
            fixed: Arc::new(fixed),
            steered,
            held: Held::default(),
            wants_bounds,
            matrix_units: session.devices().iter().any(|device| device.info().matrix_units),
            largest: prepared.largest(),
            mixed_devices,
        })
    }

    /// That of a round which begins anew and is done for itself, around k centroids of d columns: nothing is carried over from one
    /// before, and whoever asks for it finds what it comes to.
    pub(super) fn of_one_round(rows: u64, (k, d): (usize, usize), metric: Metric, fixed: FixedPoint) -> Self {
        Self {
            rows: rows.cast_signed(),
            k,
            d,
            metric,
            weighted: fixed.is_weighted(),
            fixed: Arc::new(fixed),
            steered: false,
            inertia_from_sums: false,
            held: Held::default(),
            wants_bounds: false,
            matrix_units: false,
            largest: 0.0,
            mixed_devices: false,
        }
    }

    /// Rows a thread takes at a time: a block of them stays in its cache while all centroids pass by. 512, or more where
    /// 64 KiB hold more.
    pub(super) fn block(&self) -> usize {
        let most = (64 << 10) / (self.d * size_of::<f32>()).max(1);
        rows_a_block(self.d).min(1 << most.max(512).ilog2())
    }

    pub(super) fn layout(&self) -> PartialsLayout {
        PartialsLayout { k: self.k, d: self.d, words: self.fixed.words() }
    }

    /// How many integers the partial results of a task are.
    pub(super) fn partials(&self) -> Result<Partials> {
        Partials::new(&self.fixed, self.k)
    }

    /// Whether centroids are moved on the host: medians are chosen there, two-word sums divided; and roots taken where devices round
    /// them differently, as each must go on with the same centroids.
    pub(super) fn moves_on_host(&self) -> bool {
        let is_spherical = self.metric.is_spherical();
        self.metric == Metric::CityBlock || self.fixed.words() > 1 || (self.mixed_devices && is_spherical)
    }

    pub(super) fn distance(&self) -> Distance {
        self.metric.kernel_distance()
    }

    /// Declares the weights: rows where there are some, else what stands for them in WGSL.
    pub(super) fn with_weights(&self, objects: Objects) -> Objects {
        let weights = if self.weighted { Objects::reads(WEIGHTS) } else { Objects::reads(NO_WEIGHTS) };
        objects.and(weights)
    }

    /// The constants that every kernel of k-means is compiled for.
    pub(super) fn constants(&self, shader: Shader, names: &[&str]) -> Shader {
        let value = |name: &str| match name {
            "CLUSTERS" => self.k as f64,
            "DIMENSIONS" => self.d as f64,
            "WORDS" => self.fixed.words() as f64,
            "BITS" => f64::from(self.fixed.bits()),
            "WEIGHTED" => f64::from(u8::from(self.weighted)),
            "FROM_SUMS" => f64::from(u8::from(self.inertia_from_sums)),
            "TOTALS" => self.layout().inertia(0) as f64,
            "TOLERANCE" => f64::from(self.held.tolerance),
            "HOLDS_EMPTY" => f64::from(u8::from(self.held.empty)),
            "BOUNDED" => f64::from(u8::from(self.wants_bounds)),
            "PADDED" => self.padded() as f64,
            "ROOM" => self.room() as f64,
            "GROUPS" => self.groups() as f64,
            "WIDTH" => self.width() as f64,
            "CHUNK" => self.chunk() as f64,
            "CHUNKS" => self.chunks() as f64,
            "SCALE" => self.halves_scale(),
            "CITYBLOCK" => f64::from(u8::from(self.metric == Metric::CityBlock)),
            _ => 0.0,
        };
        names.iter().fold(shader, |shader, name| shader.constant(*name, value(name)))
    }
}
