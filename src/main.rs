//! The shiftproof program.

fn main() -> std::process::ExitCode {
    shiftproof::App::new().run()
}
