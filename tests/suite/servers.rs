//! Images of real servers, made of Debian packages.

use std::{path::PathBuf, process::Command, sync::Mutex};

/// Builds the images unless Docker has them; else says what is missing.
pub(crate) fn are_there() -> Result<(), String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _building = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = std::env::var_os("PODLINE_LAB")
        .ok_or("PODLINE_LAB does not name the folder whose `image` builds images of Debian packages")?;
    let builder = PathBuf::from(lab).join("image");
    for (image, package) in [("podline-test/postgres", "postgresql"), ("podline-test/redis", "redis-server")]
    {
        let is_there = Command::new("docker").args(["image", "inspect", image]).output();
        if is_there.is_ok_and(|output| output.status.success()) {
            continue;
        }
        let status = Command::new(&builder).args([image, package]).status().expect("it can be started");
        assert!(status.success(), "{image} was built");
    }
    Ok(())
}
