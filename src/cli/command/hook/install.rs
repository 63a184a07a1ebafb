//! Puts the hook where git looks for it, and takes it away again. A hook that was there is kept and runs first.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use crate::{
    cli::{ExitCode, Failed, command::run::quoted},
    git::Git,
    report::{Printer, Problem},
};

const SCRIPT: &str = include_str!("pre-push.sh");

/// The line by which the hook is known.
const MARK: &str = "# Made by `podline hook install`";

/// What a hook that was there is called meanwhile.
const BEFORE: &str = "pre-push.before-podline";

pub(super) fn install(folder: &Path, printer: &Printer) -> Result<ExitCode, Failed> {
    let hooks = hooks(folder)?;
    let (hook, before) = (hooks.join("pre-push"), hooks.join(BEFORE));
    let shown = printer.near(&hook).display().to_string();
    let was_there = fs::symlink_metadata(&hook).is_ok();
    let kept = was_there && !is_ours(&hook);
    if kept {
        if before.exists() {
            let message = format!("there is a hook in `{shown}` and one kept in `{}`", before.display());
            return Err(Failed::usage(Problem::new(message).help("remove or join one of them")));
        }
        fs::rename(&hook, &before)?;
    }
    fs::create_dir_all(&hooks)?;
    let podline = env::current_exe()?;
    fs::write(&hook, SCRIPT.replace("@PODLINE@", &quoted(&podline.to_string_lossy())))?;
    executable(&hook)?;
    printer.say(&format!("`git push` runs the pipeline first, by `{shown}`\n"));
    if kept {
        printer.say(&format!(
            "the hook that was there is `{}` now, and runs before it\n",
            near(printer, &before)
        ));
    }
    printer.say("to push without it: git push --no-verify; to take it away: podline hook uninstall\n");
    Ok(ExitCode::Success)
}

pub(super) fn uninstall(folder: &Path, printer: &Printer) -> Result<ExitCode, Failed> {
    let hooks = hooks(folder)?;
    let (hook, before) = (hooks.join("pre-push"), hooks.join(BEFORE));
    if !is_ours(&hook) {
        printer.say(&format!("there is no hook of podline in `{}`\n", near(printer, &hooks)));
        return Ok(ExitCode::Success);
    }
    fs::remove_file(&hook)?;
    let back = if before.exists() {
        fs::rename(&before, &hook)?;
        ", and the one before it is back"
    } else {
        ""
    };
    printer.say(&format!("the hook `{}` is gone{back}\n", near(printer, &hook)));
    Ok(ExitCode::Success)
}

/// The folder in which git looks for the hooks of a repository.
fn hooks(folder: &Path) -> Result<PathBuf, Failed> {
    let git = Git::at(folder);
    // a folder that all repositories of the user share is no place for the hook of one
    let scope = git.run(&["config", "--show-scope", "core.hooksPath"]).unwrap_or_default();
    if let Some((scope @ ("global" | "system"), path)) = scope.split_once('\t') {
        let message =
            format!("git takes the hooks of all repositories from `{path}` (core.hooksPath, {scope})");
        let help = "give this repository its own: git config core.hooksPath .git/hooks";
        return Err(Failed::usage(Problem::new(message).help(help)));
    }
    let path = git.run(&["rev-parse", "--git-path", "hooks"])?;
    Ok(std::path::absolute(folder.join(path))?)
}

fn is_ours(hook: &Path) -> bool {
    fs::read_to_string(hook).is_ok_and(|text| text.contains(MARK))
}

fn near(printer: &Printer, path: &Path) -> String {
    printer.near(path).display().to_string()
}

#[cfg(unix)]
fn executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_: &Path) -> io::Result<()> {
    Ok(())
}
