//! Orders of examples that are balanced in every prefix.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use shiftproof_tasks::Label;

use crate::response_matrix::{InputIndex, ResponseMatrix};
use crate::seeds;

/// Labelled inputs by group and class, each cell shuffled by its own stream.
fn cells(
    matrix: &ResponseMatrix,
    inputs: &[InputIndex],
    seed: u64,
    name: &str,
) -> Vec<Vec<Vec<InputIndex>>> {
    let mut cells: BTreeMap<usize, BTreeMap<String, Vec<InputIndex>>> = BTreeMap::new();
    for &input in inputs {
        let class = match matrix.label(input) {
            Some(Label::Class(class)) => class.clone(),
            _ => String::new(),
        };
        cells
            .entry(matrix.group_of(input))
            .or_default()
            .entry(class)
            .or_default()
            .push(input);
    }
    for (group, classes) in &mut cells {
        for (class, members) in classes {
            members.shuffle(&mut seeds::stream(
                seed,
                &format!("order {name} {group} {class}"),
            ));
        }
    }
    cells
        .into_values()
        .map(|classes| classes.into_values().collect())
        .collect()
}

/// An order of labelled inputs of which every prefix is as balanced as can be
/// across groups and, within a group, across classes.
pub(super) fn balanced(
    matrix: &ResponseMatrix,
    inputs: &[InputIndex],
    seed: u64,
    name: &str,
) -> Vec<InputIndex> {
    interleave(&cells(matrix, inputs, seed, name))
}

/// Two such orders that share the inputs equally, cell by cell.
pub(super) fn halves(
    matrix: &ResponseMatrix,
    inputs: &[InputIndex],
    seed: u64,
    name: &str,
) -> (Vec<InputIndex>, Vec<InputIndex>) {
    let mut front = cells(matrix, inputs, seed, name);
    let mut back = front.clone();
    for cell in front.iter_mut().flatten() {
        cell.truncate(cell.len().div_ceil(2));
    }
    for cell in back.iter_mut().flatten() {
        cell.drain(..cell.len().div_ceil(2));
    }
    (interleave(&front), interleave(&back))
}

fn interleave(groups: &[Vec<Vec<InputIndex>>]) -> Vec<InputIndex> {
    let groups: Vec<Vec<InputIndex>> = groups.iter().map(|classes| round_robin(classes)).collect();
    round_robin(&groups)
}

/// Takes one from each list in turn until all are empty.
fn round_robin(lists: &[Vec<InputIndex>]) -> Vec<InputIndex> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest)
        .flat_map(|turn| lists.iter().filter_map(move |list| list.get(turn).copied()))
        .collect()
}
