//! Where podline differs from the data on purpose. A line counts only where its case exists, and fails
//! the test where the case holds after all.

/// A case in which podline differs.
pub(super) struct Deviation {
    /// The test: a path in the folder of the data.
    pub(super) test: &'static str,
    /// The case, as the test names it.
    pub(super) case: &'static str,
    /// Why.
    pub(super) reason: &'static str,
}

const fn deviation(test: &'static str, case: &'static str, reason: &'static str) -> Deviation {
    Deviation { test, case, reason }
}

/// The schema is not what GitLab runs: where its code says otherwise, the code counts.
pub(super) const DEVIATIONS: &[Deviation] = &[
    deviation(
        "schema/positive",
        "include.yml: trigger:include accepts project and file properties",
        "`script` and `trigger` exclude each other (`Entry::Processable`)",
    ),
    deviation(
        "schema/positive",
        "include.yml: trigger:include accepts optional ref property",
        "`script` and `trigger` exclude each other (`Entry::Processable`)",
    ),
    deviation(
        "schema/negative",
        "image.yml: empty_image",
        "null is not set (`Entry::Unspecified`), so that a job can drop what it extends",
    ),
    deviation(
        "schema/negative",
        "services.yml: empty_services",
        "null is not set (`Entry::Unspecified`), so that a job can drop what it extends",
    ),
];

/// A configuration of the corpus that GitLab refuses, too.
pub(super) struct Refused {
    /// Its path in the corpus.
    pub(super) case: &'static str,
    /// The code of the mistake.
    pub(super) code: &'static str,
    /// What the message has to name.
    pub(super) names: &'static str,
}

/// All of them.
pub(super) const REFUSED: &[Refused] = &[Refused {
    case: "projects/NVIDIA__nvidia-container-toolkit",
    code: "unknown-extends",
    names: ".test:toolkit",
}];
