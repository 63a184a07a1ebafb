//! GitLab's own test data and real files, read in place from the folders that `PODLINE_CONFORMANCE` and
//! `PODLINE_CORPUS` name.
