//! What a quasi-Newton method remembers of the curvature: L-BFGS.

use std::collections::VecDeque;

/// Steps that are remembered.
const MEMORY: usize = 10;

/// Pairs with less curvature than this part of what their lengths allow are left out: rounding has made them.
const LEAST_CURVATURE: f64 = 1e-8;

/// The last steps s and how the gradient changed along them, y.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(VecDeque<Pair>);

#[derive(Debug, Clone)]
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    /// s·y.
    curvature: f64,
}

impl Memory {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Remembers a step, if the gradient grew along it.
    pub(super) fn remember(&mut self, s: Vec<f64>, y: Vec<f64>) {
        let curvature = dot(&s, &y);
        if curvature > LEAST_CURVATURE * (dot(&s, &s) * dot(&y, &y)).sqrt() {
            if self.0.len() == MEMORY {
                self.0.pop_front();
            }
            self.0.push_back(Pair { s, y, curvature });
        }
    }

    /// `−H·g`, H being the inverse of the curvature as far as it is known: the two loops of Nocedal and Wright, "Numerical
    /// Optimization", algorithm 7.4.
    pub(super) fn downhill(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut alphas = Vec::with_capacity(self.0.len());
        for Pair { s, y, curvature } in self.0.iter().rev() {
            let alpha = dot(s, &direction) / curvature;
            direction.iter_mut().zip(y).for_each(|(d, y)| *d -= alpha * y);
            alphas.push(alpha);
        }
        if let Some(Pair { y, curvature, .. }) = self.0.back() {
            let gamma = curvature / dot(y, y);
            direction.iter_mut().for_each(|d| *d *= gamma);
        }
        for (Pair { s, y, curvature }, alpha) in self.0.iter().zip(alphas.iter().rev()) {
            let beta = dot(y, &direction) / curvature;
            direction.iter_mut().zip(s).for_each(|(d, s)| *d += (alpha - beta) * s);
        }
        direction
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
