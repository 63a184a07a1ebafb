//! `fixtures/tour` and `docs/tour.md`: a class types what the page says and sees what the page shows.
//!
//! `PODLINE_UPDATE_TOUR=1 cargo test --test integration tour` writes what is seen now into the page. An output
//! there that ends with `...` shows only its first lines.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use regex::Regex;

use crate::support::{Project, Seen, cluster, engine};

/// What the page calls the place where jobs run.
const PLACE: &str = "--cluster dev";

/// The page has one writer at a time.
static PAGE: Mutex<()> = Mutex::new(());

#[test]
fn every_project_says_its_idea_is_clean_and_has_a_section() {
    let page = read_page();
    let projects = projects();
    assert_eq!(projects.len(), 10);
    for project in &projects {
        let name = project.file_name().and_then(|name| name.to_str()).expect("a name");
        let text = fs::read_to_string(project.join(".gitlab-ci.yml")).expect("a configuration");
        assert!(text.starts_with("# The idea: "), "{name} begins with its idea");
        assert!(page.contains(&format!("$ cd ~/tour/{name}\n")), "{name} is on the page");
        let lint = Project::copy_of(project).podline(&["lint"]).run().expect(0);
        assert!(!lint.to_string().contains("warning"), "{name}: {lint}");
    }
}

#[test]
fn the_plans_of_the_tour() {
    let plans = projects().into_iter().map(|folder| {
        let seen = Project::copy_of(&folder).podline(&["plan"]).env("COLUMNS", "80").run().expect(0);
        let plan = seen.stdout.split("\n\n8 pods at once").next().unwrap_or_default();
        let plan = plan.split("\n\n7 pods at once").next().unwrap_or_default();
        format!("--- {}\n{plan}", folder.file_name().unwrap_or_default().display())
    });
    insta::assert_snapshot!(plans.collect::<Vec<_>>().join("\n\n"));
}

/// One test for each section, so that they run side by side.
macro_rules! sections {
    ($($test:ident: $project:literal,)*) => {
        $(#[test]
        fn $test() {
            walk($project);
        })*
    };
}

sections! {
    stages: "01-stages",
    needs: "02-needs",
    rules: "03-rules",
    artifacts: "04-artifacts",
    services: "05-services",
    matrix: "06-matrix",
    limits: "07-limits",
    retry: "08-retry",
    child_pipelines: "09-children",
    environments: "10-environments",
}

/// Types the commands of a section, and holds what is seen against what the page shows.
fn walk(project: &str) {
    if !engine::is_up() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join(project);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tour").join(project);
    let status = Command::new("cp").arg("-r").arg(&from).arg(&copy).status().expect("cp can be started");
    assert!(status.success(), "{} was copied", from.display());

    let block = block(&read_page(), project);
    let seen: Vec<Step> = block.iter().map(|step| step.again(&copy)).collect();
    if std::env::var_os("PODLINE_UPDATE_TOUR").is_some() {
        let _writer = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
        let page = read_page();
        fs::write(page_path(), page.replace(&text(&block), &text(&seen))).expect("the page can be written");
        return;
    }
    for (expected, seen) in block.iter().zip(&seen) {
        similar(expected, seen);
    }
}

/// A command of the page with what it shows.
struct Step {
    command: String,
    output: Vec<String>,
}

impl Step {
    /// Types the command, and takes as much of its output as the page shows.
    fn again(&self, folder: &Path) -> Self {
        let command = self.command.clone();
        if command.starts_with("cd ") {
            return Self { command, output: Vec::new() };
        }
        let place = if engine::is_embedded() {
            "--engine embedded".to_owned()
        } else {
            format!("--cluster {}", cluster::name())
        };
        let seen = type_in(&command.replace(PLACE, &place), folder).replace(&place, PLACE);
        let shown = if command.starts_with("podline run") { closing(&seen) } else { seen };
        let mut output: Vec<String> =
            shown.trim_end().lines().map(|line| plain(line).trim_end().to_owned()).collect();
        if self.output.last().is_some_and(|last| last == "...") {
            output.truncate(self.output.len() - 1);
            output.push("...".to_owned());
        }
        Self { command, output }
    }
}

/// Runs a line of the page as the shell of a terminal of 90 columns would.
fn type_in(line: &str, folder: &Path) -> String {
    let podline = PathBuf::from(env!("CARGO_BIN_EXE_podline"));
    let programs = podline.parent().expect("a program is in a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{line} 2>&1")]).current_dir(folder);
    for name in ["CI", "NO_COLOR", "CLICOLOR_FORCE", "KUBECONFIG"] {
        command.env_remove(name);
    }
    command.env("PATH", format!("{programs}:{path}")).env("COLUMNS", "90").env("TERM", "dumb");
    let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().expect("a shell can be started");
    Seen::of(&output).stdout
}

/// What a run leaves in the terminal: from its table on.
fn closing(seen: &str) -> String {
    let table = seen.rfind("\n\nstage ").map(|at| at + 2);
    let shown = seen[table.unwrap_or_else(|| panic!("the run ends with a table:\n{seen}"))..].trim_end();
    let (table, commands) = shown.rsplit_once("\n\n").expect("commands stand below the table");
    // the place has another name on the page, and so another width
    let commands: Vec<(&str, &str)> =
        commands.lines().map(|line| line.trim().split_once("  ").unwrap_or((line.trim(), ""))).collect();
    let widest = commands.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let aligned = commands.iter().map(|(command, help)| format!("  {command:widest$}  {}", help.trim()));
    format!("{table}\n\n{}", aligned.collect::<Vec<_>>().join("\n"))
}

/// A line of a trace without its marks and colours, as a terminal shows it.
fn plain(line: &str) -> String {
    let marks = Regex::new("\u{1b}\\[[0-9;]*[A-Za-z]|section_(start|end):\\d+:\\w+\r").expect("a pattern");
    marks.replace_all(line, "").into_owned()
}

fn similar(expected: &Step, seen: &Step) {
    let common = |step: &Step| step.output.iter().map(|line| of_any_run(line)).collect::<Vec<_>>();
    assert_eq!(common(expected), common(seen), "$ {}\n{}", seen.command, seen.output.join("\n"));
}

/// A line without what differs between runs and machines: times, memory, commits, the width of columns, and which
/// of several jobs took longest.
fn of_any_run(line: &str) -> String {
    let times = Regex::new(r"\d+(\.\d+)?s\b").expect("a pattern");
    let commits = Regex::new(r"\b[0-9a-f]{8}\b").expect("a pattern");
    let line = commits.replace_all(&times.replace_all(line, "0s"), "COMMIT").into_owned();
    // how much memory a job took differs, and so does whether there was time to look
    let memory = Regex::new(r"^(\d+(\.\d+)?[KMG]i|memory)$").expect("a pattern");
    let mut words: Vec<&str> = line.split_whitespace().filter(|word| !memory.is_match(word)).collect();
    if words.starts_with(&["critical", "path"]) {
        words.truncate(2);
    }
    if words.last().is_some_and(|last| last.ends_with('…')) {
        words.truncate(words.len() - 3);
    }
    words.join(" ")
}

/// The commands of the block that goes to this project.
fn block(page: &str, project: &str) -> Vec<Step> {
    let from = page.find(&format!("$ cd ~/tour/{project}\n")).expect("the project has a section");
    let block = page[from..].split("```").next().expect("a block ends");
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        // a trace has commands too
        let command =
            line.strip_prefix("$ ").filter(|it| it.starts_with("cd ") || it.starts_with("podline "));
        match (command, steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), output: Vec::new() }),
            (None, Some(step)) => step.output.push(line.to_owned()),
            (None, None) => {}
        }
    }
    steps
}

/// A block as the page has it.
fn text(steps: &[Step]) -> String {
    let lines = steps
        .iter()
        .flat_map(|step| [format!("$ {}", step.command)].into_iter().chain(step.output.iter().cloned()));
    lines.map(|line| line + "\n").collect()
}

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tour.md")
}

fn read_page() -> String {
    fs::read_to_string(page_path()).expect("the page can be read")
}

/// The folders of the projects, in order.
fn projects() -> Vec<PathBuf> {
    let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tour");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(tour).expect("the tour").map(|entry| entry.expect("a project").path()).collect();
    folders.sort();
    folders
}
