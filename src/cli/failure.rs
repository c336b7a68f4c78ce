//! Why a job did not run to its end, and the exit status of each reason.

use std::fmt;
use superstep::Error;

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The arguments cannot be obeyed, found before any work.
    Usage(Error),
    /// The job failed.
    Job(Error),
    /// Parts of the job failed; what each said is in the result.
    Partly(String),
}

impl Failure {
    /// The exit status that tells of it.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Job(_) | Self::Partly(_) => 1,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Job(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Job(error) => f.write_str(&in_flags(error)),
            Self::Partly(sentence) => f.write_str(sentence),
        }
    }
}

/// The error's sentence, with a setting of the library under the name it has on the command line.
fn in_flags(error: &Error) -> String {
    const FLAGS: [&str; 24] = [
        "k",
        "init",
        "n_init",
        "init_sample",
        "max_iter",
        "tol",
        "metric",
        "strategy",
        "threads",
        "memory",
        "components",
        "oversample",
        "decay",
        "restarts",
        "batch_size",
        "covariance",
        "reg_covar",
        "damping",
        "personalization",
        "dangling",
        "start",
        "learning_rate",
        "power_t",
        "eta0",
    ];
    match error {
        Error::Parameter { parameter, message } if FLAGS.contains(&parameter.as_str()) => {
            format!("--{}: {message}", parameter.replace('_', "-"))
        }
        Error::NoDevice { asked, found } => format!("--device {asked}: {found}"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_go_by_the_names_of_their_flags() {
        let cases = [
            (Error::parameter("max_iter", "0 rounds"), "--max-iter: 0 rounds"),
            (Error::parameter("out.xyz", "no"), "out.xyz: no"),
            (Error::NoDevice { asked: "gpu".into(), found: "found none".into() }, "--device gpu: found none"),
        ];
        for (error, sentence) in cases {
            assert_eq!(Failure::Usage(error).to_string(), sentence);
        }
    }
}
