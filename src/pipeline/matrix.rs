//! `parallel`: one job of the file, several of the pipeline.

use crate::config::keyword::job::{Job, Matrix, Parallel};

/// One instance of a job: itself, where it has no `parallel`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Instance {
    /// Its name in the pipeline.
    pub(super) name: String,
    /// Which it is, from 1, and how many there are.
    pub(super) position: Option<(u32, u32)>,
    /// Identifiers of `parallel:matrix` with their values.
    pub(super) variables: Vec<(String, String)>,
}

/// The instances of a job, in GitLab's order (`Normalizer::NumberStrategy`, `MatrixStrategy`).
pub(super) fn instances(job: &Job) -> Vec<Instance> {
    let name = &job.name.value;
    match &job.parallel {
        None => vec![Instance { name: name.clone(), position: None, variables: Vec::new() }],
        Some(Parallel::Count(total)) => (1..=*total)
            .map(|index| Instance {
                name: format!("{name} {index}/{total}"),
                position: Some((index, *total)),
                variables: Vec::new(),
            })
            .collect(),
        Some(Parallel::Matrix(matrix)) => {
            let all = permutations(matrix);
            let total = u32::try_from(all.len()).unwrap_or(u32::MAX);
            (1..)
                .zip(all)
                .map(|(index, variables)| Instance {
                    name: matrix_name(name, &variables),
                    position: Some((index, total)),
                    variables,
                })
                .collect()
        }
    }
}

/// The name of an instance: its values in the order of their identifiers.
pub(super) fn matrix_name(job: &str, variables: &[(String, String)]) -> String {
    let values: Vec<&str> = variables.iter().map(|(_, value)| value.as_str()).collect();
    format!("{job}: [{}]", values.join(", "))
}

/// The product of the lists of each entry, the last identifier fastest.
pub(super) fn permutations(matrix: &Matrix) -> Vec<Vec<(String, String)>> {
    matrix.iter().flat_map(|entry| product(entry)).collect()
}

fn product(entry: &[(String, Vec<String>)]) -> Vec<Vec<(String, String)>> {
    entry.iter().fold(vec![Vec::new()], |rows, (identifier, values)| {
        rows.iter()
            .flat_map(|row| {
                values.iter().map(move |value| {
                    let mut row = row.clone();
                    row.push((identifier.clone(), value.clone()));
                    row
                })
            })
            .collect()
    })
}
