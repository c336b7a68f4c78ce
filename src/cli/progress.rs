//! What a running job tells on standard error: a bar per phase on a terminal, plain lines elsewhere, or nothing.

use super::say;
use crate::report::number::scaled;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Plain lines are at least this far apart, but for the last.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Where progress is shown. Told from the threads of a fit, so it locks.
pub(super) struct Reporter(Mutex<Sink>);

enum Sink {
    Silent,
    Lines(Lines),
    Bars(Bars),
}

impl Reporter {
    /// Bars on a terminal, lines elsewhere; nothing when `quiet`.
    pub(super) fn new(quiet: bool) -> Self {
        Self(Mutex::new(match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Sink::Silent,
            (false, true) => Sink::Bars(Bars::default()),
            (false, false) => Sink::Lines(Lines::default()),
        }))
    }

    /// Shows how far a phase is: `done` of `of` steps, where they can be counted, and what else there is to say.
    pub(super) fn show(&self, phase: &'static str, steps: Option<(u64, u64)>, detail: String) {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::Silent => {}
            Sink::Lines(lines) => {
                lines.show(line(phase, steps, &detail), Instant::now()).iter().for_each(|line| say(line));
            }
            Sink::Bars(bars) => bars.show(phase, steps, detail),
        }
    }

    /// Shows that the rows are on their way to the devices.
    pub(super) fn pin(&self) {
        self.show("pin", None, "rows to the devices".into());
    }

    /// Shows a round of so many at most: what it came to, and how fast the rows went by.
    pub(super) fn round(&self, (done, of): (u32, u32), what: &str, rows_per_second: f64) {
        let detail = format!("{what}, {}", scaled(rows_per_second, "rows/s"));
        self.show("round", Some((u64::from(done), u64::from(of))), detail);
    }

    /// Shows the last state; nothing more comes.
    pub(super) fn finish(&self) {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::Silent => {}
            Sink::Lines(lines) => lines.held.take().iter().for_each(|line| say(line)),
            Sink::Bars(bars) => bars.finish(),
        }
    }

    /// Tells what the user should know of the result.
    pub(super) fn warn(&self, warning: &str) {
        if !matches!(&*self.0.lock().unwrap_or_else(PoisonError::into_inner), Sink::Silent) {
            say(&format!("warning: {warning}"));
        }
    }
}

/// `round 12/300: inertia 1,165,183, 25.3 M rows/s`
fn line(phase: &str, steps: Option<(u64, u64)>, detail: &str) -> String {
    let counted = steps.map_or_else(String::new, |(done, of)| format!(" {done}/{of}"));
    let colon = if detail.is_empty() { "" } else { ": " };
    format!("{phase}{counted}{colon}{detail}")
}

/// Lines at a bearable rate.
#[derive(Default)]
struct Lines {
    printed: Option<Instant>,
    /// The newest line that came too early to be printed.
    held: Option<String>,
}

impl Lines {
    /// The line to print now, if its time has come.
    fn show(&mut self, line: String, now: Instant) -> Option<String> {
        if self.printed.is_some_and(|printed| now.duration_since(printed) < LINE_EVERY) {
            self.held = Some(line);
            return None;
        }
        self.printed = Some(now);
        self.held = None;
        Some(line)
    }
}

/// One bar for each phase, under each other.
#[derive(Default)]
struct Bars {
    phase: &'static str,
    bar: Option<ProgressBar>,
}

impl Bars {
    fn show(&mut self, phase: &'static str, steps: Option<(u64, u64)>, detail: String) {
        if self.phase != phase {
            self.finish();
            self.phase = phase;
        }
        let bar = self.bar.get_or_insert_with(|| new_bar(phase, steps));
        if let Some((done, of)) = steps {
            bar.set_length(of);
            bar.set_position(done);
        }
        bar.set_message(detail);
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.abandon();
        }
    }
}

fn new_bar(phase: &'static str, steps: Option<(u64, u64)>) -> ProgressBar {
    let (bar, template) = match steps {
        Some((_, of)) => (ProgressBar::new(of), "{prefix:<6} {bar:16} {pos}/{len}  at most {eta} left  {wide_msg}"),
        None => (ProgressBar::new_spinner(), "{prefix:<6} {spinner} {elapsed}  {wide_msg}"),
    };
    // The templates are constants; were one wrong, indicatif's own style would do.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.with_prefix(phase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_at_most_once_a_second_and_the_last_is_kept() {
        let mut lines = Lines::default();
        let start = Instant::now();
        let mut at = |milliseconds, text: &str| lines.show(text.into(), start + Duration::from_millis(milliseconds));
        let printed = [at(0, "a"), at(400, "b"), at(1000, "c"), at(1999, "d"), at(1999, "e")];
        assert_eq!(printed, [Some("a".into()), None, Some("c".into()), None, None]);
        assert_eq!(lines.held.as_deref(), Some("e"));
    }

    #[test]
    fn a_line_says_phase_steps_and_detail() {
        let cases = [
            (line("pin", None, ""), "pin"),
            (line("load", None, "a.csv"), "load: a.csv"),
            (line("init", Some((1, 8)), ""), "init 1/8"),
            (line("round", Some((2, 300)), "inertia 5"), "round 2/300: inertia 5"),
        ];
        for (line, expected) in cases {
            assert_eq!(line, expected);
        }
    }
}
