mod control;
mod fold;
mod recorded;
mod screens;
