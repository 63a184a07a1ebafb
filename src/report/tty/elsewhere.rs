//! Where there is no terminal of Unix, podline reads no keys.

use std::{io, time::Duration};

use super::Signals;

#[derive(Debug)]
pub(in crate::report) enum Tty {}

impl Tty {
    pub(in crate::report) fn take(_: Signals) -> Option<Self> {
        None
    }

    pub(in crate::report) fn read(&self, _: Duration) -> Option<Vec<u8>> {
        match *self {}
    }
}

pub(in crate::report) struct Resizes;

impl Resizes {
    pub(in crate::report) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(in crate::report) async fn next(&mut self) {
        std::future::pending().await
    }
}

pub(in crate::report) struct Stops;

impl Stops {
    pub(in crate::report) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(in crate::report) async fn next(&mut self) {
        std::future::pending().await
    }
}
