mod control;
mod fold;
mod picture;
mod recorded;
mod screens;
