//! The variables that GitLab sets, as far as rules may see them.
//!
//! What only exists once a runner has the job (`CI_JOB_ID`, `CI_PIPELINE_ID`, `CI_PROJECT_DIR`, tokens, ...)
//! is added there: a rule that asks for it finds nothing, as in GitLab.

use indexmap::IndexMap;

use super::{
    context::{Context, Event, MergeRequest},
    job::{Environment, Origin, Variable},
    setting,
    slug::{environment_slug, slugify},
};
use crate::config::keyword::job::EnvironmentAction;

/// `CI_PROJECT_ID`: made up, as is everything that only a server counts.
pub const PROJECT_ID: u64 = 1;

/// The GitLab version that podline follows.
const VERSION: [u32; 3] = [18, 6, 0];

/// `CI_COMMIT_BEFORE_SHA` where there is no commit before.
const NO_SHA: &str = "0000000000000000000000000000000000000000";

/// How many characters of a merge request's description become a variable.
const DESCRIPTION: usize = 2700;

/// A growing list of predefined variables.
#[derive(Default)]
struct List(Vec<Variable>);

impl List {
    fn add(&mut self, key: &str, value: impl Into<String>) {
        self.0.push(Variable::new(key, value, Origin::Predefined));
    }
}

/// The variables that `include` and `include:rules` may use: what is known before a pipeline exists, the
/// project's settings and the command line, the strongest value of each. The user who starts the pipeline is
/// not among them (`Variables::Builder#config_variables`).
pub fn before_pipeline(context: &Context) -> IndexMap<String, String> {
    let predefined = of_pipeline(context, None).into_iter();
    let mut variables: IndexMap<String, String> =
        predefined.map(|variable| (variable.key, variable.value)).collect();
    // A pipeline has its number only once it is there.
    variables.shift_remove("CI_PIPELINE_IID");
    let settings = setting::applicable(&context.settings_here(), None);
    variables.extend(settings.into_iter().map(|variable| (variable.key, variable.value)));
    let forwarded = context.parent.iter().flat_map(|parent| &parent.variables);
    variables.extend(forwarded.map(|variable| (variable.key.clone(), variable.value.clone())));
    variables.extend(context.pipeline_variables.clone());
    variables
}

/// What is known before a pipeline exists, and that it has a number; `name` is `workflow:name`, expanded.
pub(super) fn of_pipeline(context: &Context, name: Option<&str>) -> Vec<Variable> {
    let mut list = List::default();
    of_server(&mut list, context);
    of_project(&mut list, context);
    list.add("CI_PIPELINE_IID", context.pipeline_id.to_string());
    list.add("CI_PIPELINE_SOURCE", context.source());
    list.add("CI_PIPELINE_CREATED_AT", &context.created_at);
    if let Some(name) = name {
        list.add("CI_PIPELINE_NAME", name);
    }
    match (&context.parent, &context.event) {
        (None, Event::Trigger { .. }) => list.add("CI_PIPELINE_TRIGGERED", "true"),
        (None, Event::Schedule { description, .. }) => {
            list.add("CI_PIPELINE_SCHEDULE_DESCRIPTION", description);
        }
        _ => {}
    }
    of_commit(&mut list, context);
    if let Event::MergeRequest(request) = &context.event {
        of_merge_request(&mut list, context, request);
    }
    list.0
}

fn of_server(list: &mut List, context: &Context) {
    let host = &context.project.host;
    let [major, minor, patch] = VERSION;
    list.add("CI", "true");
    list.add("GITLAB_CI", "true");
    list.add("GITLAB_FEATURES", "");
    list.add("CI_SERVER_FQDN", host);
    list.add("CI_SERVER_HOST", host);
    list.add("CI_SERVER_NAME", "GitLab");
    list.add("CI_SERVER_PORT", "443");
    list.add("CI_SERVER_PROTOCOL", "https");
    list.add("CI_SERVER_SHELL_SSH_HOST", host);
    list.add("CI_SERVER_SHELL_SSH_PORT", "22");
    list.add("CI_SERVER_REVISION", "0000000");
    list.add("CI_SERVER_URL", format!("https://{host}"));
    list.add("CI_SERVER_VERSION", format!("{major}.{minor}.{patch}"));
    list.add("CI_SERVER_VERSION_MAJOR", major.to_string());
    list.add("CI_SERVER_VERSION_MINOR", minor.to_string());
    list.add("CI_SERVER_VERSION_PATCH", patch.to_string());
    list.add("CI_API_V4_URL", format!("https://{host}/api/v4"));
    list.add("CI_API_GRAPHQL_URL", format!("https://{host}/api/graphql"));
    list.add("CI_TEMPLATE_REGISTRY_HOST", "registry.gitlab.com");
}

fn of_project(list: &mut List, context: &Context) {
    let project = &context.project;
    let (host, path) = (&project.host, &project.path);
    let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
    let root = path.split('/').next().unwrap_or_default();
    list.add("CI_PROJECT_ID", PROJECT_ID.to_string());
    list.add("CI_PROJECT_NAME", name);
    list.add("CI_PROJECT_TITLE", name);
    list.add("CI_PROJECT_DESCRIPTION", "");
    list.add("CI_PROJECT_PATH", path);
    list.add("CI_PROJECT_PATH_SLUG", slugify(path));
    list.add("CI_PROJECT_NAMESPACE", namespace);
    list.add("CI_PROJECT_NAMESPACE_ID", PROJECT_ID.to_string());
    list.add("CI_PROJECT_NAMESPACE_SLUG", slugify(namespace));
    list.add("CI_PROJECT_ROOT_NAMESPACE", root);
    list.add("CI_PROJECT_URL", format!("https://{host}/{path}"));
    list.add("CI_PROJECT_VISIBILITY", "private");
    list.add("CI_PROJECT_REPOSITORY_LANGUAGES", "");
    list.add("CI_DEFAULT_BRANCH", &project.default_branch);
    list.add("CI_CONFIG_PATH", &project.config_path);
    list.add("CI_PAGES_DOMAIN", format!("pages.{host}"));
    list.add("CI_PAGES_URL", format!("https://{root}.pages.{host}/{name}"));
    list.add("CI_REGISTRY", format!("registry.{host}"));
    list.add("CI_REGISTRY_IMAGE", format!("registry.{host}/{}", path.to_lowercase()));
    list.add("CI_DEPENDENCY_PROXY_SERVER", format!("{host}:443"));
    let prefix = |group: &str| format!("{host}:443/{}/dependency_proxy/containers", group.to_lowercase());
    list.add("CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX", prefix(root));
    list.add("CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX", prefix(namespace));
}

fn of_commit(list: &mut List, context: &Context) {
    let (commit, event) = (&context.commit, &context.event);
    let name = event.ref_name();
    let before = match event {
        Event::Push { before: Some(before), .. } => before,
        _ => NO_SHA,
    };
    list.add("CI_COMMIT_SHA", &commit.sha);
    list.add("CI_COMMIT_SHORT_SHA", commit.sha.chars().take(8).collect::<String>());
    list.add("CI_COMMIT_BEFORE_SHA", before);
    list.add("CI_COMMIT_REF_NAME", name);
    list.add("CI_COMMIT_REF_SLUG", slugify(name));
    match event {
        Event::Tag { tag, message } => {
            list.add("CI_COMMIT_TAG", tag);
            list.add("CI_COMMIT_TAG_MESSAGE", message);
        }
        Event::MergeRequest(_) => {}
        _ => list.add("CI_COMMIT_BRANCH", name),
    }
    let (title, rest) = commit.message.split_once('\n').unwrap_or((&commit.message, ""));
    list.add("CI_COMMIT_MESSAGE", &commit.message);
    list.add("CI_COMMIT_MESSAGE_IS_TRUNCATED", "false");
    list.add("CI_COMMIT_TITLE", title);
    // `Commit#description`: the whole message where its first line is too long for a title.
    let is_long = title.chars().count() >= 100;
    let description = if is_long { &commit.message } else { rest };
    list.add("CI_COMMIT_DESCRIPTION", description.strip_suffix('\n').unwrap_or(description));
    list.add("CI_COMMIT_REF_PROTECTED", context.is_protected().to_string());
    list.add("CI_COMMIT_TIMESTAMP", &commit.timestamp);
    list.add("CI_COMMIT_AUTHOR", &commit.author);
}

fn of_merge_request(list: &mut List, context: &Context, request: &MergeRequest) {
    let project = &context.project;
    let url = format!("https://{}/{}", project.host, project.path);
    let id = PROJECT_ID.to_string();
    let default = |branch: &str| (branch == project.default_branch).to_string();
    list.add("CI_MERGE_REQUEST_EVENT_TYPE", "detached");
    // Both are empty outside of merged results pipelines.
    list.add("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "");
    list.add("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "");
    list.add("CI_MERGE_REQUEST_DIFF_ID", "1");
    list.add("CI_MERGE_REQUEST_DIFF_BASE_SHA", request.diff_base.as_deref().unwrap_or_default());
    list.add("CI_MERGE_REQUEST_ID", request.iid.to_string());
    list.add("CI_MERGE_REQUEST_IID", request.iid.to_string());
    list.add("CI_MERGE_REQUEST_REF_PATH", format!("refs/merge-requests/{}/head", request.iid));
    for side in ["", "_SOURCE"] {
        list.add(&format!("CI_MERGE_REQUEST{side}_PROJECT_ID"), &id);
        list.add(&format!("CI_MERGE_REQUEST{side}_PROJECT_PATH"), &project.path);
        list.add(&format!("CI_MERGE_REQUEST{side}_PROJECT_URL"), &url);
    }
    list.add("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", &request.source_branch);
    list.add("CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED", default(&request.source_branch));
    list.add("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", &request.target_branch);
    list.add("CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED", default(&request.target_branch));
    list.add("CI_MERGE_REQUEST_TITLE", &request.title);
    let description: String = request.description.chars().take(DESCRIPTION).collect();
    let is_truncated = description.len() < request.description.len();
    list.add("CI_MERGE_REQUEST_DESCRIPTION", description);
    list.add("CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED", is_truncated.to_string());
    list.add("CI_MERGE_REQUEST_DRAFT", request.draft.to_string());
    list.add("CI_MERGE_REQUEST_SQUASH_ON_MERGE", request.squash.to_string());
    for (key, names) in [("LABELS", &request.labels), ("ASSIGNEES", &request.assignees)] {
        if !names.is_empty() {
            list.add(&format!("CI_MERGE_REQUEST_{key}"), names.join(","));
        }
    }
    if let Some(milestone) = &request.milestone {
        list.add("CI_MERGE_REQUEST_MILESTONE", milestone);
    }
    if request.approved {
        list.add("CI_MERGE_REQUEST_APPROVED", "true");
    }
    list.add("CI_OPEN_MERGE_REQUESTS", format!("{}!{}", project.path, request.iid));
}

/// What is known of a job before a runner has it.
pub(super) struct JobFacts<'j> {
    pub(super) name: &'j str,
    /// The key, which jobs of one `parallel` share.
    pub(super) group: &'j str,
    pub(super) stage: &'j str,
    pub(super) image: Option<&'j str>,
    pub(super) is_manual: bool,
    pub(super) instance: Option<(u32, u32)>,
    pub(super) environment: Option<&'j Environment>,
    pub(super) tier: Option<&'j str>,
}

/// What GitLab says of a job.
pub(super) fn of_job(facts: &JobFacts<'_>) -> Vec<Variable> {
    let mut list = List::default();
    list.add("CI_JOB_NAME", facts.name);
    list.add("CI_JOB_NAME_SLUG", slugify(facts.name));
    list.add("CI_JOB_GROUP_NAME", facts.group);
    list.add("CI_JOB_STAGE", facts.stage);
    if let Some(image) = facts.image {
        list.add("CI_JOB_IMAGE", image);
    }
    if facts.is_manual {
        list.add("CI_JOB_MANUAL", "true");
    }
    if let Some((index, _)) = facts.instance {
        list.add("CI_NODE_INDEX", index.to_string());
    }
    list.add("CI_NODE_TOTAL", facts.instance.map_or(1, |(_, total)| total).to_string());
    list.add("CI_DISPOSABLE_ENVIRONMENT", "true");
    if let Some(environment) = facts.environment {
        list.add("CI_ENVIRONMENT_NAME", &environment.name);
        list.add("CI_ENVIRONMENT_SLUG", environment_slug(&environment.name));
        list.add("CI_ENVIRONMENT_ACTION", action(environment.action));
        list.add("CI_ENVIRONMENT_TIER", facts.tier.unwrap_or_else(|| guess_tier(&environment.name)));
        if let Some(url) = &environment.url {
            list.add("CI_ENVIRONMENT_URL", url);
        }
    }
    list.0
}

/// The user who starts the pipeline; unlike the others these win over the variables of the file.
pub(super) fn of_user(context: &Context) -> Vec<Variable> {
    let mut list = List::default();
    let (name, mail) = &context.project.user;
    let login = mail.split('@').next().filter(|login| !login.is_empty()).unwrap_or("user");
    list.add("GITLAB_USER_ID", "1");
    list.add("GITLAB_USER_EMAIL", mail);
    list.add("GITLAB_USER_LOGIN", login);
    list.add("GITLAB_USER_NAME", name);
    list.0
}

fn action(action: EnvironmentAction) -> &'static str {
    match action {
        EnvironmentAction::Start => "start",
        EnvironmentAction::Prepare => "prepare",
        EnvironmentAction::Stop => "stop",
        EnvironmentAction::Verify => "verify",
        EnvironmentAction::Access => "access",
    }
}

/// The tier that GitLab reads from an environment's name (`Environment#guess_tier`).
fn guess_tier(name: &str) -> &'static str {
    let name = name.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["dev", "review", "trunk"]) {
        "development"
    } else if has(&["test", "tst", "int", "acpt", "accept", "qa", "qc", "control", "quality"]) {
        "testing"
    } else if has(&["stag", "stg", "model", "modl", "pre", "demo", "non"]) {
        "staging"
    } else if has(&["prod", "prd", "live"]) {
        "production"
    } else {
        "other"
    }
}
