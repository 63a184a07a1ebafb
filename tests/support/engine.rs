//! Which engine the tour runs on.

/// Whether it is the embedded one (`PODLINE_TEST_ENGINE=embedded`); kind unless set.
pub(crate) fn is_embedded() -> bool {
    std::env::var_os("PODLINE_TEST_ENGINE").is_some_and(|engine| engine == "embedded")
}

/// Whether jobs can run; the shared cluster is made at the first call where they run in one.
pub(crate) fn is_up() -> bool {
    is_embedded() || super::cluster::is_up()
}
