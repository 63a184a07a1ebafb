//! What podline makes of every keyword of the language: the one source for what it says about that.

use std::fmt::Write as _;

/// What podline makes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stance {
    /// It does what GitLab does.
    ActedOn,
    /// It does part of it, which the note says.
    Partly,
    /// It has a meaning on a GitLab server only, and nothing of it could show here.
    ServerOnly,
    /// It is accepted, checked and not acted on; a run names it.
    NotSimulated,
    /// The job that has it is not run.
    Refused,
}

/// One keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyword {
    /// Its path as GitLab's reference names it: `cache:key:files`; of jobs and `default` alike.
    pub keyword: &'static str,
    /// What podline makes of it.
    pub stance: Stance,
    /// A few words on how far.
    pub note: &'static str,
}

/// The keyword of a path, if the table has it.
pub fn find(path: &str) -> Option<&'static Keyword> {
    KEYWORDS.binary_search_by(|keyword| keyword.keyword.cmp(path)).ok().map(|at| &KEYWORDS[at])
}

const fn acted_on(keyword: &'static str) -> Keyword {
    Keyword { keyword, stance: Stance::ActedOn, note: "" }
}

const fn partly(keyword: &'static str, note: &'static str) -> Keyword {
    Keyword { keyword, stance: Stance::Partly, note }
}

const fn server_only(keyword: &'static str, note: &'static str) -> Keyword {
    Keyword { keyword, stance: Stance::ServerOnly, note }
}

const fn not_simulated(keyword: &'static str, note: &'static str) -> Keyword {
    Keyword { keyword, stance: Stance::NotSimulated, note }
}

const fn refused(keyword: &'static str, note: &'static str) -> Keyword {
    Keyword { keyword, stance: Stance::Refused, note }
}

/// Every keyword, sorted by path.
pub const KEYWORDS: &[Keyword] = &[
    acted_on("after_script"),
    acted_on("allow_failure"),
    acted_on("allow_failure:exit_codes"),
    acted_on("artifacts"),
    server_only("artifacts:access", "who may download on GitLab"),
    acted_on("artifacts:exclude"),
    server_only("artifacts:expire_in", "artifacts of a run stay until the run is removed"),
    server_only("artifacts:expose_as", "a link in merge requests"),
    acted_on("artifacts:name"),
    acted_on("artifacts:paths"),
    server_only("artifacts:public", "who may download on GitLab"),
    partly("artifacts:reports", "kept as files; `dotenv` gives variables, `junit` is summed up"),
    acted_on("artifacts:untracked"),
    acted_on("artifacts:when"),
    acted_on("before_script"),
    acted_on("cache"),
    acted_on("cache:fallback_keys"),
    acted_on("cache:key"),
    acted_on("cache:key:files"),
    acted_on("cache:key:files_commits"),
    acted_on("cache:key:prefix"),
    acted_on("cache:paths"),
    acted_on("cache:policy"),
    server_only("cache:unprotect", "there are no protected branches here"),
    acted_on("cache:untracked"),
    acted_on("cache:when"),
    acted_on("coverage"),
    not_simulated("dast_configuration", "profiles live on GitLab"),
    server_only("dast_configuration:scanner_profile", "as `dast_configuration`"),
    server_only("dast_configuration:site_profile", "as `dast_configuration`"),
    acted_on("default"),
    acted_on("dependencies"),
    partly("environment", "gives its variables; the job is held unless it is to deploy"),
    acted_on("environment:action"),
    not_simulated("environment:auto_stop_in", "no environment outlives a run"),
    acted_on("environment:deployment_tier"),
    not_simulated("environment:kubernetes", "no agent is connected"),
    acted_on("environment:name"),
    partly("environment:on_stop", "checked; no environment outlives a run"),
    acted_on("environment:url"),
    acted_on("except"),
    acted_on("except:changes"),
    server_only("except:kubernetes", "no cluster is connected to the project"),
    acted_on("except:refs"),
    acted_on("except:variables"),
    acted_on("extends"),
    acted_on("hooks"),
    partly(
        "hooks:pre_get_sources_script",
        "runs in the helper container; podline checks out on the host, so what it sets up for git has no effect",
    ),
    not_simulated("id_tokens", "GitLab signs them; the variables hold dummy values"),
    not_simulated("identity", "GitLab signs it"),
    acted_on("image"),
    server_only("image:docker", "settings of the Docker executor"),
    not_simulated("image:docker:platform", "the node has one platform"),
    not_simulated("image:docker:user", "the Kubernetes executor cannot map it"),
    acted_on("image:entrypoint"),
    acted_on("image:kubernetes"),
    acted_on("image:kubernetes:user"),
    acted_on("image:name"),
    acted_on("image:pull_policy"),
    acted_on("include"),
    server_only("include:cache", "how long GitLab keeps a remote file"),
    acted_on("include:component"),
    acted_on("include:file"),
    acted_on("include:inputs"),
    acted_on("include:integrity"),
    acted_on("include:local"),
    acted_on("include:project"),
    acted_on("include:ref"),
    acted_on("include:remote"),
    acted_on("include:rules"),
    acted_on("include:template"),
    acted_on("inherit"),
    acted_on("inherit:default"),
    acted_on("inherit:variables"),
    not_simulated("inputs", "inputs of a job are given when it is started by hand"),
    server_only("interruptible", "one run has no newer pipeline that could cancel it"),
    server_only("manual_confirmation", "a question that GitLab's page asks"),
    acted_on("needs"),
    acted_on("needs:artifacts"),
    acted_on("needs:job"),
    acted_on("needs:optional"),
    acted_on("needs:parallel"),
    partly("needs:pipeline", "of pipelines that the same run has started"),
    not_simulated("needs:project", "artifacts of other projects are not fetched"),
    server_only("needs:ref", "as `needs:project`"),
    acted_on("only"),
    acted_on("only:changes"),
    server_only("only:kubernetes", "no cluster is connected to the project"),
    acted_on("only:refs"),
    acted_on("only:variables"),
    partly("pages", "its directory becomes an artifact; nothing is published"),
    server_only("pages:expire_in", "nothing is published"),
    server_only("pages:path_prefix", "nothing is published"),
    acted_on("pages:publish"),
    acted_on("parallel"),
    acted_on("parallel:matrix"),
    server_only("publish", "nothing is published"),
    not_simulated("release", "the job is held; nothing is released"),
    server_only("release:assets", "as `release`"),
    server_only("release:description", "as `release`"),
    server_only("release:milestones", "as `release`"),
    server_only("release:name", "as `release`"),
    server_only("release:ref", "as `release`"),
    server_only("release:released_at", "as `release`"),
    server_only("release:tag_message", "as `release`"),
    server_only("release:tag_name", "as `release`"),
    partly("resource_group", "one run has no other pipeline to wait for"),
    acted_on("retry"),
    acted_on("retry:exit_codes"),
    acted_on("retry:max"),
    acted_on("retry:when"),
    acted_on("rules"),
    acted_on("rules:allow_failure"),
    acted_on("rules:changes"),
    acted_on("rules:changes:compare_to"),
    acted_on("rules:changes:paths"),
    acted_on("rules:changes:regexp"),
    acted_on("rules:exists"),
    acted_on("rules:exists:paths"),
    acted_on("rules:exists:project"),
    acted_on("rules:exists:regexp"),
    acted_on("rules:if"),
    server_only("rules:interruptible", "one run has no newer pipeline that could cancel it"),
    acted_on("rules:needs"),
    acted_on("rules:start_in"),
    acted_on("rules:variables"),
    acted_on("rules:when"),
    refused("run", "an experiment of GitLab's"),
    refused("run:env", "as `run`"),
    refused("run:func", "as `run`"),
    refused("run:inputs", "as `run`"),
    refused("run:name", "as `run`"),
    refused("run:script", "as `run`"),
    refused("run:step", "as `run`"),
    acted_on("script"),
    not_simulated("secrets", "no vault is asked; the variables hold dummy values"),
    acted_on("services"),
    acted_on("services:alias"),
    acted_on("services:command"),
    acted_on("services:docker"),
    acted_on("services:docker:platform"),
    not_simulated("services:docker:user", "the Kubernetes executor cannot map it"),
    acted_on("services:entrypoint"),
    acted_on("services:kubernetes"),
    acted_on("services:kubernetes:user"),
    acted_on("services:name"),
    acted_on("services:pull_policy"),
    acted_on("services:variables"),
    acted_on("spec"),
    acted_on("spec:component"),
    server_only("spec:description", "text on GitLab's page"),
    acted_on("spec:include"),
    acted_on("spec:inputs"),
    acted_on("stage"),
    acted_on("stages"),
    acted_on("start_in"),
    partly("tags", "every job runs on the one runner there is"),
    acted_on("timeout"),
    acted_on("trigger"),
    server_only("trigger:branch", "as `trigger:project`"),
    acted_on("trigger:forward"),
    acted_on("trigger:include"),
    partly("trigger:inputs", "child pipelines get them; pipelines of other projects are not started"),
    not_simulated("trigger:project", "pipelines of other projects are not started"),
    acted_on("trigger:strategy"),
    acted_on("variables"),
    acted_on("variables:description"),
    acted_on("variables:expand"),
    server_only("variables:options", "a choice on GitLab's page"),
    acted_on("variables:value"),
    acted_on("when"),
    acted_on("workflow"),
    acted_on("workflow:auto_cancel"),
    acted_on("workflow:auto_cancel:on_job_failure"),
    server_only("workflow:auto_cancel:on_new_commit", "one run has no newer pipeline"),
    acted_on("workflow:name"),
    acted_on("workflow:rules"),
];

impl Stance {
    /// What a reader is told.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ActedOn => "acted on",
            Self::Partly => "in part",
            Self::ServerOnly => "checked; only a server can act on it",
            Self::NotSimulated => "checked and named; not simulated",
            Self::Refused => "checked and named; the job is not run",
        }
    }
}

/// The table as the page that `docs/compatibility.md` is.
pub fn page() -> String {
    let mut page = String::from(PAGE_HEAD);
    for Keyword { keyword, stance, note } in KEYWORDS {
        let _ = writeln!(page, "| `{keyword}` | {} | {note} |", stance.words());
    }
    page
}

const PAGE_HEAD: &str = "\
# Keywords of `.gitlab-ci.yml`

What podline makes of each keyword of the language. What GitLab refuses is refused; an unknown keyword is a
mistake. A keyword that is accepted and not acted on is named by `podline plan` and at the end of a run, so
nothing is ignored in silence.

This page is made from `src/config/keyword/support.rs`; a test holds it to that table.

| keyword | podline | |
| --- | --- | --- |
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_nothing_twice() {
        let order: Vec<_> = KEYWORDS.windows(2).filter(|pair| pair[0].keyword >= pair[1].keyword).collect();
        assert!(order.is_empty(), "{order:?}");
    }

    #[test]
    fn what_is_not_acted_on_says_why() {
        for keyword in KEYWORDS {
            assert_eq!(keyword.note.is_empty(), keyword.stance == Stance::ActedOn, "{}", keyword.keyword);
        }
    }
}
