//! Integration tests of the program and its parts, one module each.
#![allow(clippy::unwrap_used)]

mod augment;
mod chaos;
mod choice;
mod cli;
mod compare;
#[cfg(unix)]
mod datasets;
mod dependencies;
mod docs;
mod drift;
#[cfg(unix)]
mod embedded;
mod escapes;
mod evaluate;
mod failing;
#[cfg(unix)]
mod fetch;
#[cfg(unix)]
mod fetch_stage;
mod fuzzed;
mod gate;
mod golden;
#[cfg(unix)]
mod graders;
mod headroom;
mod http;
mod import;
mod labels;
mod library;
mod limits;
mod methods;
mod models;
mod neural;
mod owndata;
mod proposals;
#[cfg(unix)]
mod recdata;
#[cfg(unix)]
mod rectasks;
mod report;
#[cfg(unix)]
mod resume;
mod schemas;
mod secrets;
#[cfg(unix)]
mod shared;
mod support;
mod told;
mod trips;
#[cfg(unix)]
mod tui;
mod unusable;
mod walls;
