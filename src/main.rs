//! The command-line program: k-means of files, on whatever device there is.

mod cli;
mod report;

fn main() -> std::process::ExitCode {
    cli::main()
}
